/** The bridges of this daemon's networks, by network: the default one, and one with a table of its own per network of a user's. */
import { EngineError } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import type { NetworkThread } from "../../../linux/network/network-thread.ts";
import type { AddressPool } from "../addresses/subnets.ts";
import type { Gate } from "../endpoints/gate.ts";
import type { PreparedSandbox } from "../endpoints/sandbox-pool.ts";
import type { EndpointStore, NetworkRecord, NetworkStore } from "../network-store.ts";
import { targetsOf } from "../ports/publication.ts";
import type { PortTarget } from "../ports/ruleset.ts";
import { filteredFamilies, type ResolvedNetworkConfig } from "../settings/network-config.ts";
import type { NetworkNames } from "../settings/network-names.ts";
import { bridgeNameOf, bridgeSettings } from "../settings/network-options.ts";
import { BridgeNetwork } from "./bridge-network.ts";
import { openBridge } from "./bridge-setup.ts";

export interface BridgesOptions {
  names: NetworkNames;
  config: ResolvedNetworkConfig;
  directory: string;
  poolSize: number;
  networks: NetworkStore;
  endpoints: EndpointStore;
  localPools: readonly AddressPool[];
  /** Open, if published ports obey the host's INPUT rules. */
  gate: Gate | undefined;
  thread: NetworkThread;
  reaper: NetworkThread;
  logger: Logger;
}

/** How often the packet filter is looked at for changes of others: one question to the kernel, in ms. */
const watchInterval = 2000;

export class Bridges {
  private readonly options: BridgesOptions;
  private watching: Timer | undefined;
  private seenChanges: number | undefined;
  private readonly open = new Map<string, BridgeNetwork>();

  constructor(options: BridgesOptions) {
    this.options = options;
  }

  find(networkId: string): BridgeNetwork | undefined {
    return this.open.get(networkId);
  }

  /** The default bridge, whose subnet is chosen now unless endpoints are `inUse`; the record then holds it. */
  async openDefault(record: NetworkRecord, inUse: boolean): Promise<BridgeNetwork> {
    const { config, localPools, poolSize, networks: store, thread, reaper, logger } = this.options;
    const options = { ...this.commonOptions(record), names: this.options.names, poolSize };
    const bridge = await openBridge({ options, config, localPools, store, record, inUse, thread, reaper, logger });
    this.open.set(record.id, bridge);
    return bridge;
  }

  private commonOptions(record: NetworkRecord) {
    const { config, directory, gate } = this.options;
    return {
      settings: bridgeSettings(record, config),
      filters: filteredFamilies(config),
      directRouting: config.allowDirectRouting === true,
      forwards: config.ipForward,
      gate,
      directory,
      publishedPorts: () => this.publishedPorts(record.id),
    };
  }

  /** A user's network. Idempotent. With `fresh`, nothing of it may be there yet, and when it throws, nothing of it stays. */
  async openUser(record: NetworkRecord, { fresh = false } = {}): Promise<void> {
    const { names, thread, reaper, logger } = this.options;
    const own = { owner: names.owner, table: `${names.table}-${record.id.slice(0, 12)}` };
    const options = { ...this.commonOptions(record), names: own, record, adopted: false, poolSize: 0 };
    const bridge = new BridgeNetwork(options, thread, reaper, logger);
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
    const isUsers = ({ driver, name, configOnly }: NetworkRecord) =>
      driver === "bridge" && name !== "bridge" && !configOnly;
    return [this.options.names.bridge, ...this.options.networks.list().filter(isUsers).map(bridgeNameOf)];
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
      if (changes !== this.seenChanges) await this.options.gate?.ensure();
      this.seenChanges = changes;
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

  private publishedPorts(networkId: string): PortTarget[] {
    return this.options.endpoints.listByNetwork(networkId).flatMap(targetsOf);
  }
}
