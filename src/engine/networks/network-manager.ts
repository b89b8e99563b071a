/**
 * Containers and their networks: which addresses and ports a container has, its network namespace, and what of all this survives a
 * crash. Rows are written before the kernel is asked and deleted after it has let go, so `reconcile` can bring both together again.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { NetworkSettings } from "../../api/containers.ts";
import { EngineError, errorMessage, internal, notFound } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import type { Logger } from "../../base/log.ts";
import { macOfIpv4 } from "../../linux/inet.ts";
import { NetworkThread } from "../../linux/network-thread.ts";
import type { Database } from "../../metadata/database.ts";
import { lowestFreeAddress } from "./addresses.ts";
import type { BridgeNetwork } from "./bridge-network.ts";
import { openBridge } from "./bridge-setup.ts";
import { NetworkCatalog } from "./network-catalog.ts";
import { type NetworkConfig, type ResolvedNetworkConfig, resolveNetworkConfig } from "./network-config.ts";
import { type NetworkFilesRequest, writeNetworkFiles } from "./network-files.ts";
import {
  endpointSettingsOf,
  type NetworkMode,
  networkMode,
  networkNameOf,
  type SandboxRequest,
  validateNetworking,
} from "./network-mode.ts";
import { type NetworkNames, networkNames, newSandboxId, vethName } from "./network-names.ts";
import { emptySettings, idleEndpoint, runningSettings } from "./network-settings.ts";
import { type EndpointRecord, EndpointStore, type NetworkRecord, NetworkStore } from "./network-store.ts";
import { sweepOrphans } from "./orphans.ts";
import { PortAllocator } from "./port-allocator.ts";
import { type PublishedPort, parsePortBindings, toPortMap } from "./port-bindings.ts";
import type { PreparedSandbox } from "./sandbox-pool.ts";

export interface NetworkManagerOptions {
  database: Database;
  /** Runtime files, `/run/gantry`: namespaces get their names in its `netns`. */
  execRoot: string;
  /** Tells this daemon's bridge, table and rules from those of others; `default` for a daemon without flags. */
  instance: string;
  config: NetworkConfig;
  logger: Logger;
  events?: NetworkEvents;
  /** Sandboxes made ahead; default 4. */
  poolSize?: number;
}

/** Where `network connect` and `disconnect` are reported. */
export interface NetworkEvents {
  publish(event: { type: string; action: string; id: string; attributes: Record<string, string> }): void;
}

/** A container's network, ready to be joined. */
export interface Sandbox {
  /** Path of the namespace; undefined for host mode, container mode (the caller resolves it), and none (the runtime makes one). */
  netns: string | undefined;
  /** As `inspect` shows them while the container runs. */
  settings: NetworkSettings;
}

const setupFailed = "failed to set up container networking: ";

export class NetworkManager {
  /** The API's `networks` noun. */
  readonly catalog: NetworkCatalog;
  private readonly database: Database;
  private readonly config: ResolvedNetworkConfig;
  private readonly names: NetworkNames;
  private readonly directory: string;
  private readonly poolSize: number;
  private readonly logger: Logger;
  private readonly events: NetworkEvents | undefined;
  private readonly networks: NetworkStore;
  private readonly endpoints: EndpointStore;
  private readonly ports: PortAllocator;
  private readonly thread = new NetworkThread();
  private readonly reaper = new NetworkThread();
  /** Addresses whose last user's interface still exists: not given out until it is gone. */
  private readonly leaving = new Set<string>();
  private readonly background = new Set<Promise<void>>();
  private bridge: BridgeNetwork | undefined;

  /** Does nothing to the kernel: `reconcile` does, and must come first. */
  constructor(options: NetworkManagerOptions) {
    this.database = options.database;
    this.config = resolveNetworkConfig(options.config);
    this.names = networkNames(options.instance, options.config.bridge);
    this.directory = join(options.execRoot, "netns");
    this.poolSize = options.poolSize ?? 4;
    this.logger = options.logger;
    this.events = options.events;
    this.networks = new NetworkStore(options.database);
    this.endpoints = new EndpointStore(options.database);
    this.ports = new PortAllocator(options.database, readPortRange(), options.logger);
    this.catalog = new NetworkCatalog(this.networks, this.endpoints, this.config, this.names);
  }

  /** Checks a container at create, with dockerd's messages. Returns warnings. Whether its network exists is checked at its start. */
  validate(request: SandboxRequest): string[] {
    return validateNetworking(request);
  }

  /** What `inspect` shows of a container that does not run. `wasStarted` makes the networks' ids known, as with dockerd. */
  createdSettings(request: SandboxRequest, wasStarted = false): NetworkSettings {
    const name = networkNameOf(this.modeOf(request));
    if (name === undefined) return emptySettings();
    const networkId = wasStarted ? (this.networks.findByName(name)?.id ?? "") : "";
    return emptySettings({ [name]: idleEndpoint(endpointSettingsOf(request, name), networkId) });
  }

  /** What `inspect` shows of a container that is connected now; undefined when it is not (or joined another's network). */
  currentSettings(containerId: string): NetworkSettings | undefined {
    const [endpoint] = this.endpoints.listByContainer(containerId);
    return endpoint && runningSettings(endpoint);
  }

  /**
   * At start: address, ports and namespace, ready before the container's first process. A former connection of the container is
   * released first. On failure everything is undone. Throws dockerd's errors.
   */
  async connect(request: SandboxRequest): Promise<Sandbox> {
    const mode = this.modeOf(request);
    if (mode.kind === "container") return { netns: undefined, settings: emptySettings() };
    await this.release(request.containerId);
    const network = this.networkOf(mode);
    try {
      const endpoint =
        mode.kind === "bridge" ? await this.connectBridge(request, network) : this.connectPlain(request, network, mode);
      this.report("connect", endpoint);
      return { netns: mode.kind === "bridge" ? endpoint.sandboxKey : undefined, settings: runningSettings(endpoint) };
    } catch (error) {
      if (error instanceof EngineError)
        throw new EngineError(error.kind, setupFailed + error.message, { cause: error });
      throw internal(setupFailed + errorMessage(error), { cause: error });
    }
  }

  /**
   * At the container's end: when it resolves, its published ports are closed and its address is no longer its own. The namespace and
   * its interface go in the background. Idempotent.
   */
  async release(containerId: string): Promise<void> {
    for (const endpoint of this.endpoints.listByContainer(containerId)) {
      await this.bridge?.unpublish(this.ports.listByContainer(containerId), endpoint.ip);
      // In one turn of the event loop, so that nobody is given the address in between.
      this.forget(containerId);
      if (endpoint.ip) this.destroy(toSandbox(endpoint), endpoint.ip);
      this.report("disconnect", endpoint);
    }
  }

  /** The container has a new name: network inspect shows it. */
  rename(containerId: string, name: string): void {
    for (const endpoint of this.endpoints.listByContainer(containerId)) {
      this.endpoints.save({ ...endpoint, containerName: name });
    }
  }

  /** resolv.conf, hosts and hostname of a container, with the daemon's defaults. */
  writeFiles(request: NetworkFilesRequest): void {
    const { dns, dnsSearch, dnsOptions, hostGatewayIp } = this.config;
    writeNetworkFiles(request, { dns, dnsSearch, dnsOptions, hostGateway: hostGatewayIp || this.bridge?.gateway });
  }

  /**
   * At the daemon's start: makes bridge and rules, keeps what the live containers use, and removes every other namespace, interface,
   * address and port of this instance, and nothing of anybody else's.
   */
  async reconcile(live: ReadonlySet<string>): Promise<void> {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    this.catalog.createPredefined();
    const deadAddresses = new Map<string, string>();
    for (const { containerId, sandboxId, ip } of this.endpoints.list()) {
      if (live.has(containerId)) continue;
      this.endpoints.deleteByContainer(containerId);
      deadAddresses.set(vethName(sandboxId), ip);
    }
    this.ports.restore(live);
    if (this.config.bridge === "none") return;
    const kept = this.endpoints.list().filter(({ ip }) => ip !== "");
    const { names, config, directory, poolSize, networks: store, thread, reaper, logger } = this;
    this.bridge = await openBridge({
      options: { names, config, directory, poolSize, publishedPorts: () => this.publishedPorts() },
      store,
      record: this.networkOf({ kind: "bridge" }),
      inUse: kept.length > 0,
      thread,
      reaper,
      logger,
    });
    const keep = new Set(kept.map(({ sandboxId }) => vethName(sandboxId)));
    const orphans = await sweepOrphans({ directory, bridge: names.bridge, keep, thread });
    for (const orphan of orphans) this.destroy(orphan, deadAddresses.get(orphan.veth));
    if (orphans.length > 0) logger.info("removed network sandboxes that no container uses", { count: orphans.length });
    this.track(this.bridge.pool.fill());
  }

  /** At the daemon's end. With `keep`, what running containers use stays; else everything of this instance goes. */
  async close({ keep }: { keep: boolean }): Promise<void> {
    if (!keep) for (const { containerId } of this.endpoints.list()) await this.release(containerId);
    for (const sandbox of (await this.bridge?.pool.close()) ?? []) this.destroy(sandbox);
    while (this.background.size > 0) await Promise.all(this.background);
    await this.bridge?.stop();
    if (!keep) await this.bridge?.remove();
    this.ports[Symbol.dispose]();
    this.thread.close();
    this.reaper.close();
  }

  private modeOf({ config, hostConfig }: SandboxRequest): NetworkMode {
    const mode = networkMode(config, hostConfig);
    return mode.kind === "bridge" && this.config.bridge === "none" ? { kind: "none" } : mode;
  }

  private networkOf(mode: NetworkMode): NetworkRecord {
    const name = networkNameOf(mode) ?? "";
    const record = this.networks.findByName(name);
    if (!record) throw notFound(`${setupFailed}network ${name} not found`);
    return record;
  }

  /** host and none: nothing to make, but `network inspect` shows who is there. */
  private connectPlain(request: SandboxRequest, network: NetworkRecord, mode: NetworkMode): EndpointRecord {
    const sandboxId = newSandboxId();
    const sandboxKey = mode.kind === "host" ? "/proc/1/ns/net" : "";
    const endpoint = { ...this.newEndpoint(request, network), sandboxId, sandboxKey };
    this.endpoints.save(endpoint);
    return endpoint;
  }

  private async connectBridge(request: SandboxRequest, network: NetworkRecord): Promise<EndpointRecord> {
    const { bridge } = this;
    if (!bridge) throw internal("the default bridge network is not set up yet");
    const sandbox = await bridge.pool.take();
    let reserved: { endpoint: EndpointRecord; published: PublishedPort[] };
    try {
      reserved = this.reserve(request, network, bridge, sandbox);
    } catch (error) {
      bridge.pool.giveBack(sandbox);
      throw error;
    }
    const { endpoint, published } = reserved;
    try {
      await bridge.attach(sandbox, endpoint, published);
      return endpoint;
    } catch (error) {
      await bridge.unpublish(published, endpoint.ip).catch(() => undefined);
      this.forget(endpoint.containerId);
      this.destroy(sandbox, endpoint.ip);
      throw error;
    }
  }

  /** The intent: address and ports, in one transaction. */
  private reserve(request: SandboxRequest, network: NetworkRecord, bridge: BridgeNetwork, sandbox: PreparedSandbox) {
    const { exposed, requests } = parsePortBindings(request.config, request.hostConfig);
    if (requests.length > 0 && !this.config.iptables) {
      throw internal("published ports need the packet filter, and the daemon runs with iptables=false");
    }
    return this.database.transaction(() => {
      const { subnet, gateway, prefixLength: prefix } = bridge;
      const taken = this.endpoints.listAddresses(network.id).add(gateway).union(this.leaving);
      const ip = lowestFreeAddress(subnet, taken, `${network.name} (${network.id})`);
      const settings = endpointSettingsOf(request, network.name);
      const mac = settings.MacAddress || request.config.MacAddress || macOfIpv4(ip);
      const draft: EndpointRecord = {
        ...this.newEndpoint(request, network),
        ...{ sandboxId: sandbox.id, sandboxKey: sandbox.path, ip, prefix, gateway, mac },
      };
      const published = this.allocatePorts(draft, requests);
      const endpoint = { ...draft, ports: toPortMap(exposed, published) };
      this.endpoints.save(endpoint);
      return { endpoint, published };
    });
  }

  private allocatePorts(endpoint: EndpointRecord, requests: ReturnType<typeof parsePortBindings>["requests"]) {
    const { containerId, containerName, endpointId, ip } = endpoint;
    try {
      return this.ports.allocate(containerId, ip, requests, this.config.defaultBindAddress);
    } catch (cause) {
      const where = `driver failed programming external connectivity on endpoint ${containerName} (${endpointId})`;
      throw internal(`${where}: ${errorMessage(cause)}`, { cause });
    }
  }

  private newEndpoint(request: SandboxRequest, network: NetworkRecord): EndpointRecord {
    const settings = endpointSettingsOf(request, network.name);
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
    };
  }

  private publishedPorts(): (PublishedPort & { ip: string })[] {
    return this.endpoints
      .list()
      .flatMap(({ containerId, ip }) => this.ports.listByContainer(containerId).map((port) => ({ ...port, ip })));
  }

  private forget(containerId: string): void {
    this.database.transaction(() => {
      this.ports.release(containerId);
      this.endpoints.deleteByContainer(containerId);
    });
  }

  /** In the background; the address may be given out again when the interface is gone. */
  private destroy({ path, veth }: { path: string; veth: string }, ip?: string): void {
    if (ip) this.leaving.add(ip);
    const work = async () => {
      try {
        await this.reaper.call("destroySandbox", { path, veth });
      } catch (error) {
        this.logger.warn("a network sandbox could not be removed", { path, veth, error });
      } finally {
        if (ip) this.leaving.delete(ip);
      }
    };
    this.track(work());
  }

  private track(work: Promise<void>): void {
    this.background.add(work);
    void work.finally(() => this.background.delete(work));
  }

  private report(action: "connect" | "disconnect", { networkId, networkName, containerId }: EndpointRecord): void {
    const type = networkName === "none" ? "null" : networkName;
    this.events?.publish({
      type: "network",
      action,
      id: networkId,
      attributes: { container: containerId, name: networkName, type },
    });
  }
}

function toSandbox({ sandboxKey, sandboxId }: EndpointRecord): { path: string; veth: string } {
  return { path: sandboxKey, veth: vethName(sandboxId) };
}

/** The range that dockerd, too, takes random host ports from. */
function readPortRange(): { first: number; last: number } {
  const [first = 32768, last = 60999] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8")
    .trim()
    .split(/\s+/)
    .map(Number);
  return { first, last };
}
