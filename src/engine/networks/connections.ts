/**
 * Endpoints: a container's connections to bridge networks, made and taken away, at its start as well as while it runs. A row comes
 * before the kernel's work and goes after it. Callers make sure that one container's operations never overlap.
 */
import { join } from "node:path";
import type { EndpointSettings } from "../../api/networks.ts";
import { errorMessage, internal, invalidArgument } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import type { Logger } from "../../base/log.ts";
import { macOfIpv4 } from "../../linux/inet.ts";
import type { NetworkThread } from "../../linux/network-thread.ts";
import type { Database } from "../../metadata/database.ts";
import { lowestFreeAddress, requestedAddress } from "./addresses.ts";
import type { BridgeNetwork } from "./bridge-network.ts";
import type { Bridges } from "./bridges.ts";
import { dnsNamesOf, gatewayOf, predefinedNames } from "./endpoint-plan.ts";
import { endpointProblems } from "./endpoint-problems.ts";
import type { SandboxRequest } from "./network-mode.ts";
import { newSandboxId, sandboxFile, vethName } from "./network-names.ts";
import type { EndpointRecord, EndpointStore, NetworkRecord, NetworkStore } from "./network-store.ts";
import type { PortAllocator } from "./port-allocator.ts";
import { type PublishedPort, parsePortBindings, toPortMap } from "./port-bindings.ts";
import { joinProblems } from "./problems.ts";

export interface ConnectionsOptions {
  database: Database;
  /** Where namespaces get their names. */
  directory: string;
  /** False: no packet filter, so nothing can be published. */
  canPublish: boolean;
  networks: NetworkStore;
  endpoints: EndpointStore;
  ports: PortAllocator;
  bridges: Bridges;
  /** For what a start waits for. */
  thread: NetworkThread;
  /** For what blocks: deletions. */
  reaper: NetworkThread;
  logger: Logger;
}

/** A network that a container shall be on. */
export interface Wanted {
  network: NetworkRecord;
  settings: EndpointSettings;
}

interface SandboxPlace {
  id: string;
  path: string;
  veth: string;
}

interface Role {
  isGateway: boolean;
  publishes: boolean;
}

export class Connections {
  private readonly options: ConnectionsOptions;
  /** Addresses (with their network's id) whose last user's interface still exists: not given out until it is gone. */
  private readonly leaving = new Map<string, Promise<void>>();
  private readonly background = new Set<Promise<void>>();
  /** Namespaces of running containers that were disconnected from everything. */
  private readonly bare = new Map<string, string>();

  constructor(options: ConnectionsOptions) {
    this.options = options;
  }

  /** At a start: all at once, in a namespace of its own. On failure nothing stays. */
  async connectAll(request: SandboxRequest, wanted: readonly Wanted[]): Promise<EndpointRecord[]> {
    const gateway = gatewayOf(wanted.map(toCandidate))?.network;
    const made: EndpointRecord[] = [];
    try {
      for (const { network, settings } of wanted) {
        const isGateway = network === gateway;
        const role = { isGateway, publishes: isGateway };
        const [first] = made;
        made.push(
          first
            ? await this.plug(request, { network, settings }, placeIn(first), role)
            : await this.connectFirst(request, { network, settings }, role),
        );
      }
      return made;
    } catch (error) {
      await this.releaseAll(request.containerId).catch(() => undefined);
      throw error;
    }
  }

  /** While the container runs; `pid` finds its namespace when it is on no network now. */
  async connectLive(request: SandboxRequest, wanted: Wanted, pid: number): Promise<EndpointRecord> {
    const { endpoints } = this.options;
    const [first] = endpoints.listByContainer(request.containerId);
    const path = this.bare.get(request.containerId) ?? `/proc/${pid}/ns/net`;
    const id = newSandboxId();
    const place = first ? placeIn(first) : { id, path, veth: vethName(id) };
    const endpoint = await this.plug(request, wanted, place, { isGateway: false, publishes: false });
    this.bare.delete(request.containerId);
    await this.settleGateway(request);
    return endpoints.find(wanted.network.id, request.containerId) ?? endpoint;
  }

  /** While the container runs: its interface is gone when this resolves. */
  async disconnectLive(request: SandboxRequest, endpoint: EndpointRecord): Promise<void> {
    const { endpoints, reaper } = this.options;
    await this.unpublish(endpoint);
    if (endpoint.ip) await reaper.call("deleteLink", vethOf(endpoint));
    endpoints.delete(endpoint);
    if (endpoint.sandboxKey && endpoints.listByContainer(endpoint.containerId).length === 0) {
      this.bare.set(endpoint.containerId, endpoint.sandboxKey);
    }
    await this.settleGateway(request);
  }

  /** At the container's end: ports and addresses are free at once, the namespace goes in the background. Idempotent. */
  async releaseAll(containerId: string): Promise<EndpointRecord[]> {
    const { endpoints, ports, database } = this.options;
    const all = endpoints.listByContainer(containerId);
    for (const endpoint of all) await this.unpublish(endpoint);
    // In one turn of the event loop, so that nobody is given an address in between.
    database.transaction(() => {
      ports.release(containerId);
      endpoints.deleteByContainer(containerId);
    });
    for (const endpoint of all) {
      if (endpoint.ip) this.destroy({ path: endpoint.sandboxKey, veth: vethOf(endpoint) }, addressKey(endpoint));
    }
    const bare = this.bare.get(containerId);
    if (bare) this.destroy({ path: bare, veth: "none" });
    this.bare.delete(containerId);
    return all;
  }

  /** In the background; the address may be given out again when the interface is gone. */
  destroy({ path, veth }: { path: string; veth: string }, address?: string): void {
    const { reaper, logger, directory } = this.options;
    const own = path.startsWith(`${directory}/`) ? path : join(directory, "none");
    const work = async () => {
      try {
        await reaper.call("destroySandbox", { path: own, veth });
      } catch (error) {
        logger.warn("a network sandbox could not be removed", { path, veth, error });
      } finally {
        if (address) this.leaving.delete(address);
      }
    };
    const done = work();
    if (address) this.leaving.set(address, done);
    this.track(done);
  }

  track(work: Promise<void>): void {
    this.background.add(work);
    void work.finally(() => this.background.delete(work));
  }

  /** Resolves when no deletion is under way. */
  async idle(): Promise<void> {
    while (this.background.size > 0) await Promise.all(this.background);
  }

  /** An endpoint's row without address. */
  draft(request: SandboxRequest, { network, settings }: Wanted): EndpointRecord {
    const isUsers = !predefinedNames.includes(network.name);
    return {
      containerId: request.containerId,
      networkId: network.id,
      networkName: network.name,
      endpointId: newId(),
      sandboxId: "",
      sandboxKey: "",
      containerName: request.name,
      ip: "",
      prefix: 0,
      gateway: "",
      mac: "",
      ports: {},
      ipamConfig: settings.IPAMConfig ?? null,
      links: settings.Links ?? null,
      aliases: settings.Aliases ?? null,
      driverOpts: settings.DriverOpts ?? null,
      dnsNames: isUsers ? dnsNamesOf(request, settings) : null,
      gwPriority: settings.GwPriority ?? 0,
      dns: request.hostConfig.Dns ?? [],
    };
  }

  private async connectFirst(request: SandboxRequest, wanted: Wanted, role: Role): Promise<EndpointRecord> {
    const bridge = this.bridgeOf(wanted.network);
    await this.untilFree(wanted, bridge);
    const sandbox = await bridge.pool.take();
    let reserved: { endpoint: EndpointRecord; published: PublishedPort[] };
    try {
      reserved = this.reserve(request, wanted, bridge, { ...sandbox, role });
    } catch (error) {
      await bridge.giveBack(sandbox, (unused) => this.destroy(unused));
      throw error;
    }
    const { endpoint, published } = reserved;
    await this.attempt(endpoint, () => bridge.attach(sandbox, endpoint, published, role.isGateway));
    return endpoint;
  }

  private async plug(
    request: SandboxRequest,
    wanted: Wanted,
    place: SandboxPlace,
    role: Role,
  ): Promise<EndpointRecord> {
    const bridge = this.bridgeOf(wanted.network);
    await this.untilFree(wanted, bridge);
    const { endpoint, published } = this.reserve(request, wanted, bridge, { ...place, role });
    await this.attempt(endpoint, () => bridge.plug(place, endpoint, published, role.isGateway));
    return endpoint;
  }

  private async attempt(endpoint: EndpointRecord, work: () => Promise<void>): Promise<void> {
    const { endpoints, ports, database } = this.options;
    try {
      await work();
    } catch (error) {
      await this.unpublish(endpoint).catch(() => undefined);
      const isLast = endpoints.listByContainer(endpoint.containerId).length === 1;
      database.transaction(() => {
        if (endpoint.publishes) ports.release(endpoint.containerId);
        endpoints.delete(endpoint);
      });
      this.destroy({ path: isLast ? endpoint.sandboxKey : "", veth: vethOf(endpoint) }, addressKey(endpoint));
      throw error;
    }
  }

  /** The intent: address and ports, in one transaction. */
  private reserve(
    request: SandboxRequest,
    wanted: Wanted,
    bridge: BridgeNetwork,
    { id, path, veth, role }: SandboxPlace & { role: Role },
  ): { endpoint: EndpointRecord; published: PublishedPort[] } {
    const { network, settings } = wanted;
    const { exposed, requests } = parsePortBindings(request.config, request.hostConfig);
    if (requests.length > 0 && !this.options.canPublish) {
      throw internal("published ports need the packet filter, and the daemon runs with iptables=false");
    }
    return this.options.database.transaction(() => {
      const ip = this.chooseAddress(wanted, bridge);
      const mac = settings.MacAddress || request.config.MacAddress || macOfIpv4(ip);
      const place = {
        sandboxId: id,
        sandboxKey: path,
        veth,
        ip,
        prefix: bridge.prefixLength,
        gateway: bridge.route,
        mac,
      };
      const draft = { ...this.draft(request, { network, settings }), ...place, publishes: role.publishes };
      const published = role.publishes ? this.allocatePorts(draft, requests, bridge) : [];
      const endpoint = { ...draft, ports: toPortMap(exposed, published) };
      this.options.endpoints.save(endpoint);
      return { endpoint, published };
    });
  }

  /** A restart wants the address that its own former interface still has: it gets it when that is gone. */
  private async untilFree(wanted: Wanted, bridge: BridgeNetwork): Promise<void> {
    for (;;) {
      const going = this.leavingFrom(wanted.network.id);
      if (going.size === 0) return;
      try {
        this.chooseAddress(wanted, bridge);
        return;
      } catch {
        await Promise.race(going.values());
      }
    }
  }

  /** What is leaving the network, by address. */
  private leavingFrom(networkId: string): Map<string, Promise<void>> {
    const prefix = `${networkId}/`;
    const own = [...this.leaving].filter(([key]) => key.startsWith(prefix));
    return new Map(own.map(([key, done]) => [key.slice(prefix.length), done]));
  }

  private chooseAddress({ network, settings }: Wanted, { subnet, gateway }: BridgeNetwork): string {
    const leaving = this.leavingFrom(network.id).keys();
    const auxiliary = Object.values(network.ipam[0]?.auxiliary ?? {});
    const taken = this.options.endpoints.listAddresses(network.id).union(new Set([gateway, ...leaving, ...auxiliary]));
    const wanted = settings.IPAMConfig?.IPv4Address;
    if (!wanted) {
      return lowestFreeAddress(subnet, taken, `${network.name} (${network.id})`, network.ipam[0]?.ipRange ?? subnet);
    }
    const problems = endpointProblems(network, settings);
    if (problems.length > 0) {
      const list = joinProblems(problems);
      throw invalidArgument(`invalid config for network ${network.name}: invalid endpoint settings:\n${list}`);
    }
    return requestedAddress(subnet, taken, wanted);
  }

  private allocatePorts(
    { containerId, containerName, endpointId, ip }: EndpointRecord,
    requests: ReturnType<typeof parsePortBindings>["requests"],
    { defaultBindAddress }: BridgeNetwork,
  ): PublishedPort[] {
    try {
      return this.options.ports.allocate(containerId, ip, requests, defaultBindAddress);
    } catch (cause) {
      const where = `driver failed programming external connectivity on endpoint ${containerName} (${endpointId})`;
      throw internal(`${where}: ${errorMessage(cause)}`, { cause });
    }
  }

  /** After a change of a running container's networks: default route and published ports follow the gateway's endpoint. */
  private async settleGateway(request: SandboxRequest): Promise<void> {
    const { endpoints, ports, thread, database } = this.options;
    const all = endpoints.listByContainer(request.containerId);
    const chosen = gatewayOf(all.map((endpoint) => this.toEndpointCandidate(endpoint)))?.endpoint;
    const [first] = all;
    if (first) await thread.call("setGateway", first.sandboxKey, chosen?.gateway ?? "");
    const publishing = all.find(({ publishes }) => publishes);
    if (publishing && publishing.networkId === chosen?.networkId) return;
    if (publishing) {
      await this.unpublish(publishing);
      endpoints.save({ ...publishing, publishes: false, ports: {} });
    }
    const { exposed, requests } = parsePortBindings(request.config, request.hostConfig);
    if (!chosen) {
      ports.release(request.containerId);
      return;
    }
    const bridge = this.options.bridges.find(chosen.networkId);
    if (!bridge) return;
    const published = database.transaction(() => {
      const kept = ports.listByContainer(request.containerId);
      const list = kept.length > 0 ? kept : this.allocatePorts(chosen, requests, bridge);
      endpoints.save({ ...chosen, publishes: true, ports: toPortMap(exposed, list) });
      return list;
    });
    await bridge.publishPorts(published, chosen.ip);
  }

  private toEndpointCandidate(endpoint: EndpointRecord) {
    const network = this.options.networks.findById(endpoint.networkId);
    const { networkName: name, gwPriority: priority = 0 } = endpoint;
    return { endpoint, name, priority, internal: network?.internal === true };
  }

  private async unpublish({ networkId, containerId, ip, publishes }: EndpointRecord): Promise<void> {
    if (publishes === false) return;
    const { bridges, ports } = this.options;
    await bridges.find(networkId)?.unpublish(ports.listByContainer(containerId), ip);
  }

  private bridgeOf({ id, name }: NetworkRecord): BridgeNetwork {
    const bridge = this.options.bridges.find(id);
    if (!bridge)
      throw internal(
        name === "bridge" ? "the default bridge network is not set up yet" : `network ${name} is not set up`,
      );
    return bridge;
  }
}

/** The host's end of an endpoint's veth pair. */
export function vethOf({ veth, sandboxId }: EndpointRecord): string {
  return veth ?? vethName(sandboxId);
}

export function addressKey({ networkId, ip }: Pick<EndpointRecord, "networkId" | "ip">): string {
  return `${networkId}/${ip}`;
}

/** A place for one more interface in an endpoint's namespace. */
function placeIn({ sandboxId, sandboxKey }: EndpointRecord): SandboxPlace {
  return { id: sandboxId, path: sandboxKey, veth: vethName(sandboxFile(newSandboxId())) };
}

function toCandidate({ network, settings }: Wanted) {
  return { network, name: network.name, priority: settings.GwPriority ?? 0, internal: network.internal === true };
}
