/**
 * Containers and their networks: which addresses and ports a container has, its network namespace, and what of all this survives a
 * crash. Rows are written before the kernel is asked and deleted after it has let go, so `reconcile` can bring both together again.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { NetworkSettings } from "../../api/containers.ts";
import type { EndpointSettings, NetworkingConfig } from "../../api/networks.ts";
import { EngineError, errorMessage, internal, invalidArgument, notFound, withPrefix } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { NetworkThread } from "../../linux/network/network-thread.ts";
import type { Database } from "../../metadata/database.ts";
import { addressesOf } from "./addresses/network-pools.ts";
import { localPools, usedPrefixes } from "./addresses/subnets.ts";
import { NameService } from "./dns/name-service.ts";
import type { BridgeNetwork } from "./drivers/bridge-network.ts";
import { Bridges } from "./drivers/bridges.ts";
import { Drivers } from "./drivers/drivers.ts";
import { Connections, vethOf, type Wanted } from "./endpoints/connections.ts";
import { dnsNamesOf, predefinedNames, settledNetworking, wantedNetworks } from "./endpoints/endpoint-plan.ts";
import { endpointProblems } from "./endpoints/endpoint-problems.ts";
import { Gate } from "./endpoints/gate.ts";
import { sweepOrphans } from "./endpoints/orphans.ts";
import {
  amendNetworkFiles,
  type NetworkFilesDefaults,
  type NetworkFilesRequest,
  readHostNameservers,
  writeNetworkFiles,
} from "./files/network-files.ts";
import { NetworkCatalog } from "./network-catalog.ts";
import { type EndpointRecord, EndpointStore, type NetworkRecord, NetworkStore } from "./network-store.ts";
import { PortAllocator } from "./ports/port-allocator.ts";
import { targetsOf } from "./ports/publication.ts";
import { joinProblems } from "./problems.ts";
import {
  type NetworkConfig,
  type ResolvedNetworkConfig,
  resolveNetworkConfig,
  standardMtu,
} from "./settings/network-config.ts";
import {
  type NetworkMode,
  networkMode,
  networkNameOf,
  type SandboxRequest,
  validateNetworking,
} from "./settings/network-mode.ts";
import { networkNames, newSandboxId } from "./settings/network-names.ts";
import { emptySettings, idleEndpoint, runningSettings } from "./settings/network-settings.ts";

export interface NetworkManagerOptions {
  database: Database;
  /** Runtime files, `/run/gantry`: namespaces get their names in its `netns`. */
  execRoot: string;
  /** Tells this daemon's bridge, table and rules from those of others; `default` for a daemon without flags. */
  instance: string;
  /** Random, and the same for all of this engine's life: its own ranges of version 6 derive from it. */
  engineId: string;
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
  private readonly config: ResolvedNetworkConfig;
  private readonly directory: string;
  private readonly logger: Logger;
  private readonly events: NetworkEvents | undefined;
  private readonly networks: NetworkStore;
  private readonly endpoints: EndpointStore;
  private readonly ports: PortAllocator;
  private readonly thread = new NetworkThread();
  private readonly reaper = new NetworkThread();
  private readonly gate: Gate;
  private readonly bridges: Bridges;
  private readonly drivers: Drivers;
  private readonly connections: Connections;
  private readonly nameService: NameService;
  private bridge: BridgeNetwork | undefined;
  /** Containers whose networks stay when they end. */
  private readonly kept = new Set<string>();

  /** Does nothing to the kernel: `reconcile` does, and must come first. */
  constructor({ database, execRoot, instance, engineId, config, logger, events, poolSize = 4 }: NetworkManagerOptions) {
    this.config = resolveNetworkConfig(config);
    const names = networkNames(instance, config.bridge);
    this.directory = join(execRoot, "netns");
    this.logger = logger;
    this.events = events;
    this.networks = new NetworkStore(database);
    this.endpoints = new EndpointStore(database);
    this.ports = new PortAllocator(database, readPortRange(), logger);
    const { networks, endpoints, ports, directory, thread, reaper } = this;
    const common = { networks, endpoints, directory, thread, reaper, logger };
    const ownPools = localPools(engineId);
    this.gate = new Gate(instance, names, thread);
    const gate = this.config.firewallMode === "input" ? this.gate : undefined;
    this.bridges = new Bridges({ ...common, names, config: this.config, poolSize, localPools: ownPools, gate });
    this.drivers = new Drivers({ bridges: this.bridges, owner: names.owner, directory, thread, reaper });
    this.connections = new Connections({
      ...{ ...common, database, ports },
      find: (id) => this.drivers.find(id),
      canPublish: this.config.iptables,
    });
    this.nameService = new NameService({
      ...{ networks, endpoints, logger },
      servers: () => this.upstreams(),
      redirect: this.config.iptables ? (path, redirect) => thread.call("redirectPort", path, redirect) : undefined,
    });
    this.catalog = new NetworkCatalog({
      ...{ networks, endpoints, names, config: this.config, localPools: ownPools },
      bridges: this.drivers,
      usedPrefixes: async () => usedPrefixes(await thread.call("listRoutes"), readHostNameservers(), ""),
      publish: (event) => events?.publish(event),
    });
  }

  /** Checks a container at create, with dockerd's messages. Whether its network exists is checked at its start. */
  validate(request: SandboxRequest): void {
    validateNetworking(request);
    for (const { name, settings } of wantedNetworks(request)) {
      const network = this.catalog.lookUp(name);
      const problems = network ? endpointProblems(network, settings) : [];
      if (problems.length > 0) {
        const list = joinProblems(problems);
        throw invalidArgument(`invalid config for network ${name}: invalid endpoint settings:\n${list}`);
      }
    }
  }

  /** The networks of a new container, by name, as its record keeps them. See endpoint-plan.ts. */
  settle(request: SandboxRequest): NetworkingConfig | undefined {
    return settledNetworking(request, (reference) => this.catalog.lookUp(reference)?.name ?? reference);
  }

  /** What `inspect` shows of a container that does not run. `wasStarted` makes the networks' ids known, as with dockerd. */
  createdSettings(request: SandboxRequest, wasStarted = false): NetworkSettings {
    const mode = this.modeOf(request);
    if (mode.kind === "container") return emptySettings();
    const entries = wantedNetworks(this.resolved(request)).map(({ name, settings }) => {
      const network = wasStarted ? this.catalog.lookUp(name) : undefined;
      const idle = idleEndpoint(wasStarted ? { ...settings, MacAddress: "" } : settings, network?.id ?? "");
      const isUsers = network !== undefined && !predefinedNames.includes(name);
      return [name, isUsers ? { ...idle, DNSNames: dnsNamesOf(request, settings) } : idle];
    });
    const networks: Record<string, EndpointSettings> = Object.fromEntries(entries);
    // The address that was asked for; the old top-level field speaks of the default bridge only.
    return { ...emptySettings(networks), MacAddress: networks["bridge"]?.MacAddress ?? "" };
  }

  /** What `inspect` shows of a container that is connected now; undefined when it is not (or joined another's network). */
  currentSettings(containerId: string): NetworkSettings | undefined {
    const endpoints = this.endpoints.listByContainer(containerId);
    return endpoints.length > 0 ? runningSettings(endpoints) : undefined;
  }

  /**
   * At start: addresses, ports and namespace, ready before the container's first process. A former connection of the container is
   * released first. On failure everything is undone. Throws dockerd's errors.
   */
  async connect(request: SandboxRequest): Promise<Sandbox> {
    const mode = this.modeOf(request);
    if (mode.kind === "container") return { netns: undefined, settings: emptySettings() };
    const current = this.kept.has(request.containerId) ? this.endpoints.listByContainer(request.containerId) : [];
    if (current[0]) return { netns: current[0].sandboxKey, settings: runningSettings(current) };
    await this.release(request.containerId);
    try {
      const wanted = this.wanted(request);
      const [first] = wanted;
      if (first && (mode.kind === "host" || mode.kind === "none")) {
        const endpoint = this.connectPlain(request, first, mode);
        this.report("connect", endpoint);
        return { netns: undefined, settings: runningSettings([endpoint]) };
      }
      const endpoints = await this.connections.connectAll(request, wanted);
      await this.nameService.serve(request.containerId);
      for (const endpoint of endpoints) this.report("connect", endpoint);
      return { netns: endpoints[0]?.sandboxKey, settings: runningSettings(endpoints) };
    } catch (error) {
      if (error instanceof EngineError) throw withPrefix(setupFailed, error);
      throw internal(setupFailed + errorMessage(error), { cause: error });
    }
  }

  /** `network connect` of a running container, already in the request's networks under `name`. */
  async connectLive(request: SandboxRequest, name: string, settings: EndpointSettings, pid: number): Promise<void> {
    const wanted = { network: this.networkOf(name), settings };
    const endpoint =
      name === "none"
        ? this.connectPlain(request, wanted, { kind: "none" })
        : await this.connections.connectLive(request, wanted, pid);
    await this.nameService.serve(request.containerId);
    this.report("connect", endpoint);
  }

  /** `network disconnect` of a running container. Throws when it is not connected. */
  async disconnectLive(request: SandboxRequest, name: string): Promise<void> {
    const network = this.networkOf(name);
    const endpoint = this.endpoints.find(network.id, request.containerId);
    if (!endpoint) throw internal(`container ${request.containerId} is not connected to network ${name}`);
    await this.connections.disconnectLive(request, endpoint);
    this.nameService.changed();
    this.report("disconnect", endpoint);
  }

  /** A running container's port bindings have changed. Throws dockerd's errors; nothing has changed, then. */
  async republish(request: SandboxRequest): Promise<void> {
    await this.connections.settle(request);
  }

  /** `network disconnect --force` of a container that is gone: what is left of its connection goes, too. Idempotent. */
  async forgetContainer(network: NetworkRecord, reference: string): Promise<void> {
    const isMeant = (endpoint: EndpointRecord) =>
      endpoint.containerId === reference || endpoint.containerName === reference;
    const endpoint = this.endpoints.listByNetwork(network.id).find(isMeant);
    if (!endpoint) throw notFound(`endpoint ${reference} not found`);
    await this.release(endpoint.containerId);
  }

  /**
   * At the container's end: when it resolves, its published ports are closed and its addresses are no longer its own. The namespace
   * and its interfaces go in the background. Idempotent.
   */
  async release(containerId: string): Promise<void> {
    if (this.kept.has(containerId)) return;
    const released = await this.connections.releaseAll(containerId);
    if (released.length > 0) this.nameService.end(containerId);
    for (const endpoint of released) this.report("disconnect", endpoint);
  }

  /**
   * Until it is disposed of, the container's network outlives the container, and others whose record names it start in it. A daemon that
   * starts knows nothing of it any more, and takes the network away.
   */
  keep(containerId: string): AsyncDisposable {
    this.kept.add(containerId);
    return {
      [Symbol.asyncDispose]: () => {
        this.kept.delete(containerId);
        return this.release(containerId);
      },
    };
  }

  /** The container has a new name: network inspect shows it. */
  rename(containerId: string, name: string): void {
    for (const endpoint of this.endpoints.listByContainer(containerId)) {
      const dnsNames = endpoint.dnsNames?.map((entry) => (entry === endpoint.containerName ? name : entry)) ?? null;
      this.endpoints.save({ ...endpoint, containerName: name, dnsNames });
    }
    this.nameService.changed();
  }

  /** resolv.conf, hosts and hostname of a container, with the daemon's defaults. */
  writeFiles(request: NetworkFilesRequest): void {
    writeNetworkFiles(request, this.fileDefaults());
  }

  /** The same files of a running container whose networks have changed. See network-files.ts. */
  amendFiles(request: NetworkFilesRequest, change: { gone: readonly string[]; added: readonly string[] }): void {
    amendNetworkFiles(request, this.fileDefaults(), change);
  }

  /** The address that `host-gateway` stands for. */
  get hostGateway(): string | undefined {
    return this.fileDefaults().hostGateways[0];
  }

  private fileDefaults(): NetworkFilesDefaults {
    const { dns, dnsSearch, dnsOptions, hostGatewayIp } = this.config;
    return {
      dns,
      dnsSearch,
      dnsOptions,
      hostGateways: hostGatewayIp ? [hostGatewayIp] : (this.bridge?.gateways ?? []),
    };
  }

  /**
   * At the daemon's start: makes bridge and rules, keeps what the live containers use, and removes every other namespace, interface,
   * address and port of this instance, and nothing of anybody else's.
   */
  async reconcile(live: ReadonlySet<string>): Promise<void> {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    if (!this.config.givenMtu) this.config.mtu = await this.uplinkMtu();
    this.catalog.createPredefined();
    const dead = new Map<string, EndpointRecord>();
    for (const endpoint of this.endpoints.list()) {
      if (live.has(endpoint.containerId) && (await this.isWhole(endpoint))) continue;
      this.endpoints.delete(endpoint);
      if (vethOf(endpoint) !== "") dead.set(vethOf(endpoint), endpoint);
    }
    this.ports.restore(
      this.endpoints.list().flatMap((endpoint) => targetsOf(endpoint).map((port) => ({ ...endpoint, port }))),
    );
    const kept = this.endpoints.list().filter((endpoint) => addressesOf(endpoint).length > 0);
    await (this.config.firewallMode === "input" ? this.gate.open() : this.gate.remove());
    await this.openBridges(kept);
    const keep = new Set(kept.flatMap((endpoint) => [vethOf(endpoint), endpoint.sandboxKey]));
    const { directory, thread, logger, connections } = this;
    const orphans = await sweepOrphans({ directory, bridges: this.bridges.bridgeNames(), keep, thread });
    for (const orphan of orphans) connections.destroy(orphan, dead.get(orphan.veth));
    if (orphans.length > 0) logger.info("removed network sandboxes that no container uses", { count: orphans.length });
    for (const containerId of live) connections.track(this.nameService.serve(containerId));
    if (this.bridge) connections.track(this.bridge.pool.fill());
    this.bridges.watch();
  }

  /** That of the host's way to the outside: larger packets would be cut or lost there. */
  private async uplinkMtu(): Promise<number> {
    const uplink = (await this.thread.call("listRoutes")).find(({ prefix }) => prefix === 0);
    const links = uplink ? await this.thread.call("listLinks") : [];
    return links.find(({ index }) => index === uplink?.link)?.mtu ?? standardMtu;
  }

  /** False: the daemon was killed while it connected or disconnected the container. */
  private async isWhole(endpoint: EndpointRecord): Promise<boolean> {
    const ips = addressesOf(endpoint).map(({ ip }) => ip);
    return ips.length === 0 || (await this.thread.call("hasAddresses", endpoint.sandboxKey, ips));
  }

  /** Names of the networks that a container is connected to now. */
  connectedNetworks(containerId: string): string[] {
    return this.endpoints.listByContainer(containerId).map(({ networkName }) => networkName);
  }

  /** At the daemon's end. With `keep`, what running containers use stays; else everything of this instance goes. */
  async close({ keep }: { keep: boolean }): Promise<void> {
    if (!keep) {
      for (const containerId of new Set(this.endpoints.list().map((endpoint) => endpoint.containerId))) {
        await this.release(containerId);
      }
    }
    this.nameService.close();
    // The bridges go after the deletions of what hangs on them.
    await this.connections.idle();
    for (const sandbox of await this.bridges.close({ remove: !keep })) this.connections.destroy(sandbox);
    if (!keep) {
      await this.drivers.removeParents();
      await this.gate.remove();
    }
    await this.connections.idle();
    this.ports[Symbol.dispose]();
    this.thread.close();
    this.reaper.close();
  }

  /** The default bridge first: what its subnet may be depends on nobody. A user's network that fails is reported and left out. */
  private async openBridges(kept: readonly EndpointRecord[]): Promise<void> {
    if (this.config.bridge !== "none") {
      const record = this.networkOf("bridge");
      const inUse = kept.some(({ networkId }) => networkId === record.id);
      try {
        this.bridge = await this.bridges.openDefault(record, inUse);
      } catch (error) {
        if (error instanceof EngineError) throw withPrefix('error creating default "bridge" network: ', error);
        throw error;
      }
    }
    for (const record of this.networks.list()) {
      if (record.driver === "host" || record.driver === "null" || record.name === "bridge") continue;
      await this.drivers.openUser(record).catch((error: unknown) => {
        this.logger.error("a network cannot be set up", { network: record.name, error: errorMessage(error) });
      });
    }
  }

  private modeOf({ config, hostConfig }: SandboxRequest): NetworkMode {
    const mode = networkMode(config, hostConfig);
    return mode.kind === "bridge" && this.config.bridge === "none" ? { kind: "none" } : mode;
  }

  private networkOf(name: string): NetworkRecord {
    const record = this.catalog.lookUp(name);
    if (!record) throw notFound(`network ${name} not found`);
    return record;
  }

  private wanted(request: SandboxRequest): Wanted[] {
    return wantedNetworks(this.resolved(request)).map(({ name, settings }) => ({
      network: this.networkOf(name),
      settings,
    }));
  }

  /** The request with the network's own name as its mode. */
  private resolved(request: SandboxRequest): SandboxRequest {
    const reference = networkNameOf(this.modeOf(request)) ?? "";
    const NetworkMode = this.catalog.lookUp(reference)?.name ?? reference;
    return { ...request, hostConfig: { ...request.hostConfig, NetworkMode } };
  }

  /** Where questions about the world go; the daemon's --dns, else the host's servers. */
  private upstreams(): readonly string[] {
    return this.config.dns && this.config.dns.length > 0 ? this.config.dns : readHostNameservers();
  }

  /** host and none: nothing to make, but `network inspect` shows who is there. */
  private connectPlain(request: SandboxRequest, wanted: Wanted, mode: NetworkMode): EndpointRecord {
    const sandboxKey = mode.kind === "host" ? "/proc/1/ns/net" : "";
    const endpoint = { ...this.connections.draft(request, wanted), sandboxId: newSandboxId(), sandboxKey };
    this.endpoints.save(endpoint);
    return endpoint;
  }

  private report(action: "connect" | "disconnect", { networkId, networkName, containerId }: EndpointRecord): void {
    const type = this.networks.findById(networkId)?.driver ?? "bridge";
    this.events?.publish({
      type: "network",
      action,
      id: networkId,
      attributes: { container: containerId, name: networkName, type },
    });
  }
}

/** The range that dockerd, too, takes random host ports from. */
function readPortRange(): { first: number; last: number } {
  const [first = 32768, last = 60999] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8")
    .trim()
    .split(/\s+/)
    .map(Number);
  return { first, last };
}
