/**
 * The default bridge in the kernel: the link and its address, the ruleset, the guard of the FORWARD chain and the pool of sandboxes.
 * Knows no database: what must outlive the daemon is the manager's.
 */

import type { Logger } from "../../../base/log.ts";
import { asOneText, type Family } from "../../../linux/inet.ts";
import type { Announcements } from "../../../linux/network/announcement.ts";
import { isBridgeFiltered } from "../../../linux/network/net-sysctl.ts";
import type { NetworkThread } from "../../../linux/network/network-thread.ts";
import type { DefaultRoute, LinkAddress } from "../../../linux/network/rtnetlink-addresses.ts";
import type { SandboxAddress } from "../../../linux/network/sandbox-link.ts";
import type { MapElement } from "../../../linux/nft/nftables.ts";
import { families, poolsOf, prefixLengthOf, speaks } from "../addresses/network-pools.ts";
import { type PreparedSandbox, SandboxPool } from "../endpoints/sandbox-pool.ts";
import type { NetworkRecord } from "../network-store.ts";
import { ForwardGuard } from "../ports/forward-guard.ts";
import {
  type FamilyRules,
  openElements,
  type PortTarget,
  publishElements,
  reachesOf,
  renderRuleset,
} from "../ports/ruleset.ts";
import { announcementsOf } from "../settings/announcements.ts";
import type { NetworkNames } from "../settings/network-names.ts";
import { type BridgeSettings, bridgeHasAddress } from "../settings/network-options.ts";
import type { ConnectableNetwork, SandboxPlace } from "./connectable-network.ts";

export interface BridgeOptions {
  names: Pick<NetworkNames, "owner" | "table">;
  /** With its pools chosen. */
  record: NetworkRecord;
  settings: BridgeSettings;
  /** The versions that the daemon may write packet filter rules for; empty: it writes none at all. */
  filters: readonly Family[];
  /** True: published ports are reached by containers' own addresses, too. */
  directRouting: boolean;
  /** True: the daemon may turn forwarding on. */
  forwards: boolean;
  /** True: the administrator's own bridge, which is used but neither configured nor removed. */
  adopted: boolean;
  /** See gate.ts; undefined: published ports pass by the host's INPUT rules. */
  gate: { entry: string; mark: number } | undefined;
  /** Where namespaces get their names. */
  directory: string;
  poolSize: number;
  /** Every port that is published now, so that a lost ruleset can be written again. */
  publishedPorts: () => PortTarget[];
}

/** The least time between two looks at what others did to the packet filter, in ms. */
const checkInterval = 1000;

export class BridgeNetwork implements ConnectableNetwork {
  readonly pool: SandboxPool;
  private readonly options: BridgeOptions;
  private readonly thread: NetworkThread;
  private readonly reaper: NetworkThread;
  private readonly guard: ForwardGuard;
  private readonly logger: Logger;
  private seenForeignChanges = 0;
  private lastCheck = 0;
  private checking: Promise<void> | undefined;
  private recheck: Timer | undefined;

  /** `thread` does what a start waits for, `reaper` what blocks: deletions. */
  constructor(options: BridgeOptions, thread: NetworkThread, reaper: NetworkThread, logger: Logger) {
    const { names, settings, directory, poolSize } = options;
    this.options = options;
    this.thread = thread;
    this.reaper = reaper;
    this.logger = logger;
    const { mtu, icc, name: bridge } = settings;
    this.pool = new SandboxPool({ directory, bridge, mtu, icc, size: poolSize }, thread, logger);
    const spoken = options.filters.filter((family) => speaks(options.record, family));
    this.guard = new ForwardGuard({ bridge, owner: names.owner, families: spoken }, thread, logger);
  }

  get interfacePrefix(): string {
    return this.options.settings.interfacePrefix;
  }

  get announcements(): Announcements {
    return announcementsOf(this.options.record.options);
  }

  readonly hasHostEnds = true;

  private get filters(): boolean {
    return this.options.filters.length > 0;
  }

  get publication() {
    const { modes, bindAddress } = this.options.settings;
    // Where bridges' frames pass the packet filter, they are translated too early: nothing may then come in for ::1.
    return { families: this.options.filters, modes, bindAddress, loopback6: !isBridgeFiltered(6) };
  }

  routeOf(family: Family, gateway: string): DefaultRoute | undefined {
    const { record, settings } = this.options;
    if (record.internal || settings.modes[family] === "isolated" || gateway === "") return undefined;
    return { family, via: gateway };
  }

  /**
   * Brings bridge, forwarding and ruleset into their state. Idempotent, but with `fresh`: then a link of the bridge's name that is there
   * already is a conflict. Resolves to the bridge's link index.
   */
  async open({ fresh = false } = {}): Promise<number> {
    const { names, settings, adopted, record, forwards } = this.options;
    const { name, mtu } = settings;
    const addresses = this.addresses();
    const request = { name, owner: names.owner, adopt: adopted, fresh, mtu, addresses };
    const link = await this.thread.call("openBridge", request);
    for (const family of families.filter((entry) => forwards && speaks(record, entry))) {
      if (await this.thread.call("enableForwarding", family)) {
        this.logger.info(`IPv${family} forwarding was off and is on now: containers need it`);
      }
    }
    if (this.filters) {
      await this.writeRuleset();
      await this.guard.ensure();
      this.seenForeignChanges = await this.thread.call("foreignChanges");
      this.lastCheck = Date.now();
    }
    return link.index;
  }

  /** Where containers find the host. */
  get gateways(): string[] {
    return this.addresses().map(({ ip }) => ip);
  }

  /** The bridge's own. */
  private addresses(): LinkAddress[] {
    const { record, settings } = this.options;
    return families
      .filter((family) => bridgeHasAddress(record, settings, family))
      .flatMap((family) => poolsOf(record, family))
      .map((pool) => ({ ip: asOneText(pool.gateway), prefix: prefixLengthOf(pool) }));
  }

  takeSandbox(): Promise<PreparedSandbox> {
    return this.pool.take();
  }

  async attach(_place: SandboxPlace, address: SandboxAddress, ports: readonly PortTarget[]): Promise<void> {
    const attached = this.thread.call("attachSandbox", address);
    const [foreignChanges] = await Promise.all([attached, this.publishPorts(ports)]);
    this.noticeChanges(foreignChanges);
  }

  async plug({ veth }: SandboxPlace, address: SandboxAddress, ports: readonly PortTarget[]): Promise<void> {
    const { name: bridge, mtu, icc } = this.options.settings;
    const plugged = this.thread.call("plugSandbox", { ...address, veth, bridge, mtu, icc });
    const [foreignChanges] = await Promise.all([plugged, this.publishPorts(ports)]);
    this.noticeChanges(foreignChanges);
  }

  unplug({ veth }: SandboxPlace): Promise<void> {
    return this.reaper.call("deleteLink", veth);
  }

  /** Takes back a sandbox that was never attached; without a pool to put it in it is destroyed. */
  async giveBack(sandbox: PreparedSandbox, destroy: (sandbox: PreparedSandbox) => void): Promise<void> {
    if (this.options.poolSize > 0) {
      this.pool.giveBack(sandbox);
      return;
    }
    await this.thread.call("forgetSandbox", sandbox.path);
    destroy(sandbox);
  }

  /** `foreignChanges`: the network thread's count. When others changed the packet filter, what is ours in it is looked after. */
  noticeChanges(foreignChanges: number): void {
    if (this.filters && foreignChanges !== this.seenForeignChanges) this.checkSoon();
  }

  /** When it throws, some may be open. */
  async publishPorts(ports: readonly PortTarget[]): Promise<void> {
    await this.publish(publishElements(ports, reachesOf(this.rules())));
    const udpPorts = ports.filter(({ protocol, hostPort }) => protocol === "udp" && hostPort !== 0);
    // A client that sent to the port before goes on being answered by whom it was then, or nobody, unless the kernel forgets.
    if (udpPorts.length > 0) {
      await this.reaper.call("forgetUdpFlows", [...new Set(udpPorts.map(({ hostPort }) => hostPort))]);
    }
  }

  async unpublish(ports: readonly PortTarget[]): Promise<void> {
    if (ports.length === 0 || !this.filters) return;
    const kept = this.openWithout(ports);
    const elements = publishElements(ports, reachesOf(this.rules())).filter(
      (element) => !kept.has(elementKey(element)),
    );
    await this.thread.call("deleteElements", this.options.names.table, elements);
  }

  /** What others of a container's published ports lead to as well, by its own address. */
  private openWithout(ports: readonly PortTarget[]): Set<string> {
    if (!this.options.directRouting) return new Set();
    const gone = new Set(ports.map((port) => JSON.stringify(port)));
    const others = this.options.publishedPorts().filter((port) => !gone.has(JSON.stringify(port)));
    return new Set(openElements(others, reachesOf(this.rules())).map(elementKey));
  }

  /** Takes away everything that `open` made, and of what it adopted only what is ours. */
  async remove(): Promise<void> {
    clearTimeout(this.recheck);
    const { names, settings, adopted } = this.options;
    if (this.filters) {
      await this.guard.remove();
      await this.thread.call("applyRuleset", `table inet ${names.table} { }\ndelete table inet ${names.table}\n`);
    }
    if (!adopted) await this.reaper.call("deleteLink", settings.name);
  }

  /** Ends what runs by itself; the kernel's things stay. */
  async stop(): Promise<void> {
    clearTimeout(this.recheck);
    await this.checking;
  }

  /** The rows of these ports exist already, so writing the ruleset anew publishes them, too. */
  private async publish(elements: MapElement[]): Promise<void> {
    if (elements.length === 0 || !this.filters) return;
    try {
      await this.thread.call("addElements", this.options.names.table, elements);
    } catch (error) {
      this.logger.warn("the daemon's nftables table is not as it was left: it is written again", { error });
      await this.writeRuleset();
    }
  }

  private async writeRuleset(): Promise<void> {
    const { names, settings, record, publishedPorts } = this.options;
    const options = {
      table: names.table,
      bridge: settings.name,
      families: this.rules(),
      icc: settings.icc,
      internal: record.internal,
      trusted: settings.trusted,
      filtered: this.options.filters,
      loopback6: this.publication.loopback6,
      gate: this.options.gate,
    };
    await this.thread.call("applyRuleset", renderRuleset(options, publishedPorts()));
  }

  private rules(): FamilyRules[] {
    const { record, settings } = this.options;
    return this.options.filters.flatMap((family) => {
      const [pool] = poolsOf(record, family);
      if (!pool) return [];
      const mode = settings.modes[family];
      const masquerade = settings.masquerade && mode !== "routed" && mode !== "isolated";
      const { directRouting: direct } = this.options;
      return [{ family, subnet: pool.subnet, mode, direct, masquerade, source: settings.sources[family] }];
    });
  }

  /** Somebody changed the packet filter: looks, now or when a second has passed since the last look. */
  private checkSoon(): void {
    if (this.checking || this.recheck) return;
    const wait = this.lastCheck + checkInterval - Date.now();
    if (wait > 0) {
      this.recheck = setTimeout(() => {
        this.recheck = undefined;
        this.checkSoon();
      }, wait);
      this.recheck.unref();
      return;
    }
    this.checking = this.checkForeignChanges().finally(() => {
      this.checking = undefined;
    });
  }

  private async checkForeignChanges(): Promise<void> {
    this.lastCheck = Date.now();
    try {
      if (!(await this.thread.call("hasTable", this.options.names.table))) {
        this.logger.warn("somebody removed the daemon's nftables table: it is written again");
        await this.writeRuleset();
      }
      await this.guard.ensure();
      this.seenForeignChanges = await this.thread.call("foreignChanges");
    } catch (error) {
      this.logger.warn("the packet filter cannot be checked", { error });
    }
  }
}

function elementKey({ map, key }: MapElement): string {
  return `${map} ${Buffer.from(key).toString("hex")}`;
}
