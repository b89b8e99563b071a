/** The bridges of this daemon's networks, by network: the default one, and one with a table of its own per network of a user's. */
import { EngineError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { NetworkThread } from "../../linux/network-thread.ts";
import { BridgeNetwork } from "./bridge-network.ts";
import { openBridge } from "./bridge-setup.ts";
import type { ResolvedNetworkConfig } from "./network-config.ts";
import type { NetworkNames } from "./network-names.ts";
import { bridgeNameOf, configOf } from "./network-plan.ts";
import type { EndpointStore, NetworkRecord, NetworkStore } from "./network-store.ts";
import type { PortAllocator } from "./port-allocator.ts";
import type { PublishedPort } from "./port-bindings.ts";
import type { PreparedSandbox } from "./sandbox-pool.ts";

export interface BridgesOptions {
  names: NetworkNames;
  config: ResolvedNetworkConfig;
  directory: string;
  poolSize: number;
  networks: NetworkStore;
  endpoints: EndpointStore;
  ports: PortAllocator;
  thread: NetworkThread;
  reaper: NetworkThread;
  logger: Logger;
}

/** How often the packet filter is looked at for changes of others: one question to the kernel, in ms. */
const watchInterval = 2000;

export class Bridges {
  private readonly options: BridgesOptions;
  private watching: Timer | undefined;
  private readonly open = new Map<string, BridgeNetwork>();

  constructor(options: BridgesOptions) {
    this.options = options;
  }

  find(networkId: string): BridgeNetwork | undefined {
    return this.open.get(networkId);
  }

  /** The default bridge, whose subnet is chosen now unless endpoints are `inUse`; the record then holds it. */
  async openDefault(record: NetworkRecord, inUse: boolean): Promise<BridgeNetwork> {
    const { names, config, directory, poolSize, networks: store, thread, reaper, logger } = this.options;
    const publishedPorts = () => this.publishedPorts(record.id);
    const options = { names, config, directory, poolSize, publishedPorts };
    const bridge = await openBridge({ options, store, record, inUse, thread, reaper, logger });
    this.open.set(record.id, bridge);
    return bridge;
  }

  /** A user's network. Idempotent. With `fresh`, nothing of it may be there yet, and when it throws, nothing of it stays. */
  async openUser(record: NetworkRecord, { fresh = false } = {}): Promise<void> {
    const { names, config, directory, thread, reaper, logger } = this.options;
    const [subnet] = record.ipam;
    if (!subnet) return;
    const bridge = new BridgeNetwork(
      {
        names: { ...names, bridge: bridgeNameOf(record), table: `${names.table}-${record.id.slice(0, 12)}` },
        config: configOf(record, config),
        adopted: false,
        subnet,
        internal: record.internal === true,
        directory,
        poolSize: 0,
        publishedPorts: () => this.publishedPorts(record.id),
      },
      thread,
      reaper,
      logger,
    );
    try {
      await bridge.open({ fresh });
    } catch (error) {
      // What is somebody else's is a conflict, and stays.
      const isOurs = !(error instanceof EngineError && error.kind === "conflict");
      if (fresh && isOurs) await bridge.remove().catch(() => undefined);
      throw error;
    }
    this.open.set(record.id, bridge);
  }

  /** Takes a network's bridge and rules away. Idempotent. */
  async remove(networkId: string): Promise<void> {
    const bridge = this.open.get(networkId);
    this.open.delete(networkId);
    await bridge?.stop();
    await bridge?.remove();
  }

  /** Interface names of all user networks and the default bridge. */
  bridgeNames(): string[] {
    const users = this.options.networks.list().filter(({ driver, name }) => driver === "bridge" && name !== "bridge");
    return [this.options.names.bridge, ...users.map(bridgeNameOf)];
  }

  /**
   * From now on, another program that sets FORWARD to DROP (a dockerd that starts) or removes a table of ours cuts running containers
   * off for moments only, whether or not anything is started here.
   */
  watch(): void {
    if (!this.options.config.iptables) return;
    this.watching ??= setInterval(() => void this.look(), watchInterval);
    this.watching.unref();
  }

  private async look(): Promise<void> {
    try {
      const changes = await this.options.thread.call("foreignChanges");
      for (const bridge of this.open.values()) bridge.noticeChanges(changes);
    } catch (error) {
      if (this.watching) this.options.logger.warn("the packet filter cannot be watched", { error });
    }
  }

  /** Ends what runs by itself, and with `remove` takes everything away. Returns the sandboxes that nobody used. */
  async close({ remove }: { remove: boolean }): Promise<PreparedSandbox[]> {
    clearInterval(this.watching);
    this.watching = undefined;
    const rest: PreparedSandbox[] = [];
    for (const bridge of this.open.values()) rest.push(...(await bridge.pool.close()));
    for (const bridge of this.open.values()) {
      await bridge.stop();
      if (remove) await bridge.remove();
    }
    return rest;
  }

  private publishedPorts(networkId: string): (PublishedPort & { ip: string })[] {
    const { endpoints, ports } = this.options;
    return endpoints
      .listByNetwork(networkId)
      .filter(({ publishes }) => publishes !== false)
      .flatMap(({ containerId, ip }) => ports.listByContainer(containerId).map((port) => ({ ...port, ip })));
  }
}
