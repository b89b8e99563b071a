/**
 * Endpoints: a container's connections to networks, made and taken away, at its start as well as while it runs. A row comes before
 * the kernel's work and goes after it. Callers make sure that one container's operations never overlap.
 */
import { join } from "node:path";
import type { EndpointSettings } from "../../../api/networks.ts";
import { forbidden, internal, invalidArgument } from "../../../base/errors.ts";
import { newId } from "../../../base/ids.ts";
import type { Logger } from "../../../base/log.ts";
import { type Family, macOf } from "../../../linux/inet.ts";
import type { NetworkThread } from "../../../linux/network/network-thread.ts";
import type { DefaultRoute } from "../../../linux/network/rtnetlink-addresses.ts";
import type { Database } from "../../../metadata/database.ts";
import { AddressBook } from "../addresses/address-book.ts";
import { addressesOf, families, poolsOf } from "../addresses/network-pools.ts";
import type { ConnectableNetwork } from "../drivers/connectable-network.ts";
import type { EndpointRecord, EndpointStore, NetworkRecord, NetworkStore } from "../network-store.ts";
import type { PortAllocator } from "../ports/port-allocator.ts";
import { targetsOf } from "../ports/publication.ts";
import { type Leads, Publisher } from "../ports/publisher.ts";
import { type SandboxRequest, spokenFamilies } from "../settings/network-mode.ts";
import { newSandboxId, sandboxFile, vethName } from "../settings/network-names.ts";
import { linkOf } from "./endpoint-link.ts";
import { comparePrecedence, dnsNamesOf, gatewaysOf, predefinedNames } from "./endpoint-plan.ts";

export interface ConnectionsOptions {
  database: Database;
  /** Where namespaces get their names. */
  directory: string;
  /** False: no packet filter, so nothing can be published. */
  canPublish: boolean;
  networks: NetworkStore;
  endpoints: EndpointStore;
  ports: PortAllocator;
  /** The networks in the kernel. */
  find(networkId: string): ConnectableNetwork | undefined;
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

interface Place {
  id: string;
  path: string;
  veth: string;
}

/** What is left of a connection: a namespace's path and a host's end. */
export interface Remains {
  path: string;
  veth: string;
}

export class Connections {
  private readonly options: ConnectionsOptions;
  private readonly addresses: AddressBook;
  private readonly publisher: Publisher;
  private readonly background = new Set<Promise<void>>();
  /** Namespaces of running containers that were disconnected from everything. */
  private readonly bare = new Map<string, string>();

  constructor(options: ConnectionsOptions) {
    this.options = options;
    this.addresses = new AddressBook(options.endpoints);
    this.publisher = new Publisher(options);
  }

  /** At a start: all at once, in a namespace of its own. On failure nothing stays. */
  async connectAll(request: SandboxRequest, wanted: readonly Wanted[]): Promise<EndpointRecord[]> {
    const precedence = ({ network, settings }: Wanted) => this.toCandidate(request, network, settings.GwPriority);
    const leads = this.leadsOf(wanted.map(precedence));
    const made: EndpointRecord[] = [];
    try {
      for (const entry of wanted.toSorted((a, b) => comparePrecedence(precedence(a), precedence(b)))) {
        const [first] = made;
        made.push(
          first
            ? await this.plug(request, entry, placeIn(first), leads)
            : await this.connectFirst(request, entry, leads),
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
    const endpoint = await this.plug(request, wanted, place, {});
    this.bare.delete(request.containerId);
    try {
      await this.settle(request);
    } catch (error) {
      await this.disconnectLive(request, endpoint).catch(() => undefined);
      throw error;
    }
    return endpoints.find(wanted.network.id, request.containerId) ?? endpoint;
  }

  /** While the container runs: its interface is gone when this resolves. */
  async disconnectLive(request: SandboxRequest, endpoint: EndpointRecord): Promise<void> {
    const { endpoints } = this.options;
    await this.publisher.unpublish(endpoint);
    const ips = addressesOf(endpoint).map(({ ip }) => ip);
    if (ips.length > 0) await this.networkOf(endpoint.networkId)?.unplug(placeOf(endpoint), { ips });
    endpoints.delete(endpoint);
    if (endpoint.sandboxKey && endpoints.listByContainer(endpoint.containerId).length === 0) {
      this.bare.set(endpoint.containerId, endpoint.sandboxKey);
    }
    await this.settle(request, endpoint);
  }

  /**
   * After a change of a running container's networks or port bindings: its ways out and its published ports follow. `gone`: the
   * endpoint that it just lost, whose host ports lead to another one from now on.
   */
  async settle(request: SandboxRequest, gone?: EndpointRecord): Promise<void> {
    const { endpoints, thread, networks } = this.options;
    const all = endpoints.listByContainer(request.containerId).filter(({ sandboxKey }) => sandboxKey !== "");
    const candidates = all.flatMap((endpoint) => {
      const network = networks.findById(endpoint.networkId);
      return network ? [this.toCandidate(request, network, endpoint.gwPriority)] : [];
    });
    const leads = this.leadsOf(candidates);
    const [first] = all;
    const routes = all.flatMap((endpoint) => this.routesOf(endpoint, leads));
    if (first && addressesOf(first).length > 0) await thread.call("setDefaultRoutes", first.sandboxKey, routes);
    await this.publisher.settle(request, leads, gone);
  }

  /** At the container's end: ports and addresses are free at once, the namespace goes in the background. Idempotent. */
  async releaseAll(containerId: string): Promise<EndpointRecord[]> {
    const { endpoints, ports, database } = this.options;
    const all = endpoints.listByContainer(containerId);
    for (const endpoint of all) await this.publisher.unpublish(endpoint);
    // In one turn of the event loop, so that nobody is given an address in between.
    database.transaction(() => {
      ports.release(containerId);
      endpoints.deleteByContainer(containerId);
    });
    for (const endpoint of all) if (addressesOf(endpoint).length > 0) this.destroyOf(endpoint);
    const bare = this.bare.get(containerId);
    if (bare) this.destroy({ path: bare, veth: "" });
    this.bare.delete(containerId);
    return all;
  }

  /** In the background. */
  destroy(remains: Remains, endpoint?: EndpointRecord): void {
    const { reaper, logger, directory } = this.options;
    const { path, veth } = remains;
    const own = path.startsWith(`${directory}/`) ? path : join(directory, "none");
    const work = async () => {
      try {
        await reaper.call("destroySandbox", { path: own, veth });
      } catch (error) {
        logger.warn("a network sandbox could not be removed", { path, veth, error });
      }
    };
    const done = work();
    if (endpoint) this.addresses.leave(endpoint, done);
    this.track(done);
  }

  /** In the background; the addresses may be given out again when the interface is gone. */
  destroyOf(endpoint: EndpointRecord): void {
    this.destroy(placeOf(endpoint), endpoint);
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

  private async connectFirst(request: SandboxRequest, wanted: Wanted, leads: Leads): Promise<EndpointRecord> {
    const network = this.needed(wanted.network);
    await this.addresses.untilFree(wanted, request.containerId, spokenFamilies(request.hostConfig));
    const sandbox = await network.takeSandbox();
    let endpoint: EndpointRecord;
    try {
      endpoint = this.reserve(request, wanted, sandbox, leads);
    } catch (error) {
      await network.giveBack(sandbox, (unused) => this.destroy(unused));
      throw error;
    }
    await this.attempt(endpoint, () => network.attach(sandbox, this.linkOf(endpoint, leads), targetsOf(endpoint)));
    return endpoint;
  }

  private async plug(request: SandboxRequest, wanted: Wanted, place: Place, leads: Leads): Promise<EndpointRecord> {
    const network = this.needed(wanted.network);
    await this.addresses.untilFree(wanted, request.containerId, spokenFamilies(request.hostConfig));
    const endpoint = this.reserve(request, wanted, place, leads);
    await this.attempt(endpoint, () => network.plug(place, this.linkOf(endpoint, leads), targetsOf(endpoint)));
    return endpoint;
  }

  private async attempt(endpoint: EndpointRecord, work: () => Promise<void>): Promise<void> {
    const { endpoints, ports, database } = this.options;
    try {
      await work();
    } catch (error) {
      await this.publisher.unpublish(endpoint).catch(() => undefined);
      const isLast = endpoints.listByContainer(endpoint.containerId).length === 1;
      database.transaction(() => {
        ports.release(endpoint.containerId, targetsOf(endpoint));
        endpoints.delete(endpoint);
      });
      this.destroy({ path: isLast ? endpoint.sandboxKey : "", veth: vethOf(endpoint) }, endpoint);
      throw error;
    }
  }

  /** The intent: addresses and ports, in one transaction. */
  private reserve(request: SandboxRequest, wanted: Wanted, { id, path, veth }: Place, leads: Leads): EndpointRecord {
    const { settings, network } = wanted;
    return this.options.database.transaction(() => {
      const chosen = this.addresses.choose(wanted, spokenFamilies(request.hostConfig));
      const { hasHostEnds } = this.needed(network);
      const draft = { ...this.draft(request, wanted), sandboxId: id, sandboxKey: path, veth: hasHostEnds ? veth : "" };
      const [address] = addressesOf(chosen);
      const mac = settings.MacAddress || request.config.MacAddress || (address ? macOf(address.ip) : "");
      const endpoint = { ...draft, ...this.shownGateways(network.id, chosen), mac };
      const published = this.publisher.reserve(endpoint, request, leads);
      this.options.endpoints.save(published);
      return published;
    });
  }

  /** A gateway that is no way out is none. */
  private shownGateways<T extends Pick<EndpointRecord, "gateway" | "gateway6">>(networkId: string, addresses: T): T {
    const network = this.networkOf(networkId);
    const shown = (family: Family, gateway = "") => (network?.routeOf(family, gateway) ? gateway : "");
    const { gateway, gateway6 } = addresses;
    return { ...addresses, gateway: shown(4, gateway), ...(gateway6 ? { gateway6: shown(6, gateway6) } : {}) };
  }

  private linkOf(endpoint: EndpointRecord, leads: Leads) {
    const network = this.networkOf(endpoint.networkId) ?? {
      interfacePrefix: "",
      announcements: { count: 0, intervalMillis: 0 },
    };
    return linkOf(endpoint, network, this.routesOf(endpoint, leads));
  }

  /** The default routes that go by way of an endpoint. */
  private routesOf(endpoint: EndpointRecord, leads: Leads): (DefaultRoute & { ip: string })[] {
    const network = this.networkOf(endpoint.networkId);
    return addressesOf(endpoint).flatMap(({ family, ip, gateway }) => {
      const route = leads[family] === endpoint.networkId ? network?.routeOf(family, gateway) : undefined;
      return route ? [{ ...route, ip }] : [];
    });
  }

  private leadsOf(candidates: readonly ReturnType<Connections["toCandidate"]>[]): Leads {
    const chosen = gatewaysOf(candidates);
    const entries = families.flatMap((family) => (chosen[family] ? [[family, chosen[family].networkId]] : []));
    return Object.fromEntries(entries);
  }

  private toCandidate({ hostConfig }: SandboxRequest, record: NetworkRecord, priority = 0) {
    const { id, name, internal: isInternal } = record;
    const network = this.networkOf(id);
    const leads = spokenFamilies(hostConfig).filter((family) =>
      poolsOf(record, family).some(({ gateway }) => network?.routeOf(family, gateway)),
    );
    return { networkId: id, name, priority, internal: isInternal === true, families: leads };
  }

  private networkOf(networkId: string): ConnectableNetwork | undefined {
    return this.options.find(networkId);
  }

  private needed({ id, name, configOnly }: NetworkRecord): ConnectableNetwork {
    const network = this.networkOf(id);
    if (network) return network;
    if (configOnly) throw forbidden("cannot create endpoint on configuration-only network");
    if (name === "host") {
      throw invalidArgument(
        "cannot connect container to host network - container must be created in host network mode",
      );
    }
    throw internal(
      name === "bridge" ? "the default bridge network is not set up yet" : `network ${name} is not set up`,
    );
  }
}

/** The host's end of an endpoint's veth pair; empty: there is none. */
export function vethOf({ veth, sandboxId }: EndpointRecord): string {
  return veth ?? vethName(sandboxId);
}

function placeOf(endpoint: EndpointRecord): Remains {
  return { path: endpoint.sandboxKey, veth: vethOf(endpoint) };
}

/** A place for one more interface in an endpoint's namespace. */
function placeIn({ sandboxId, sandboxKey }: EndpointRecord): Place {
  return { id: sandboxId, path: sandboxKey, veth: vethName(sandboxFile(newSandboxId())) };
}
