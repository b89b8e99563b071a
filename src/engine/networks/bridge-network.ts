/**
 * The default bridge in the kernel: the link and its address, the ruleset, the guard of the FORWARD chain and the pool of sandboxes.
 * Knows no database: what must outlive the daemon is the manager's.
 */
import type { Logger } from "../../base/log.ts";
import { parsePrefix } from "../../linux/inet.ts";
import type { NetworkThread } from "../../linux/network-thread.ts";
import type { MapElement } from "../../linux/nftables.ts";
import { ForwardGuard } from "./forward-guard.ts";
import type { ResolvedNetworkConfig } from "./network-config.ts";
import type { NetworkNames } from "./network-names.ts";
import type { PublishedPort } from "./port-bindings.ts";
import { publishElements, renderRuleset } from "./ruleset.ts";
import { type PreparedSandbox, SandboxPool } from "./sandbox-pool.ts";
import type { Subnet } from "./subnets.ts";

export interface BridgeOptions {
  names: NetworkNames;
  config: ResolvedNetworkConfig;
  /** True: the administrator's own bridge, which is used but neither configured nor removed. */
  adopted: boolean;
  subnet: Subnet;
  /** See RulesetOptions. */
  internal?: boolean;
  /** Where namespaces get their names. */
  directory: string;
  poolSize: number;
  /** Every port that is published now, so that a lost ruleset can be written again. */
  publishedPorts: () => (PublishedPort & { ip: string })[];
}

/** The least time between two looks at what others did to the packet filter, in ms. */
const checkInterval = 1000;

export class BridgeNetwork {
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
    const { names, config, directory, poolSize } = options;
    this.options = options;
    this.thread = thread;
    this.reaper = reaper;
    this.logger = logger;
    const { mtu, icc } = config;
    this.pool = new SandboxPool({ directory, bridge: names.bridge, mtu, icc, size: poolSize }, thread, logger);
    this.guard = new ForwardGuard({ bridge: names.bridge, owner: names.owner }, thread, logger);
  }

  /** The default route of containers whose gateway this network is; empty for internal ones. */
  get route(): string {
    return this.options.internal ? "" : this.gateway;
  }

  get defaultBindAddress(): string {
    return this.options.config.defaultBindAddress;
  }

  get prefixLength(): number {
    return parsePrefix(this.options.subnet.subnet).length;
  }

  get gateway(): string {
    return this.options.subnet.gateway;
  }

  get subnet(): string {
    return this.options.subnet.subnet;
  }

  /**
   * Brings bridge, forwarding and ruleset into their state. Idempotent, but with `fresh`: then a link of the bridge's name that is there
   * already is a conflict. Resolves to the bridge's link index.
   */
  async open({ fresh = false } = {}): Promise<number> {
    const { names, config, adopted, subnet } = this.options;
    const link = await this.thread.call("openBridge", {
      name: names.bridge,
      owner: names.owner,
      adopt: adopted,
      fresh,
      mtu: config.mtu,
      ip: subnet.gateway,
      prefix: this.prefixLength,
    });
    if (config.ipForward && (await this.thread.call("enableForwarding"))) {
      this.logger.info("IPv4 forwarding was off and is on now: containers need it");
    }
    if (config.iptables) {
      await this.writeRuleset();
      await this.guard.ensure();
      this.seenForeignChanges = await this.thread.call("foreignChanges");
      this.lastCheck = Date.now();
    }
    return link.index;
  }

  /**
   * Gives a sandbox its address and publishes its ports; `isGateway`: with the default route. When it throws, part of it may have
   * been done.
   */
  async attach(
    sandbox: PreparedSandbox,
    endpoint: { ip: string; mac: string },
    ports: readonly PublishedPort[],
    isGateway = true,
  ): Promise<void> {
    const attached = this.thread.call("attachSandbox", this.addressFor(sandbox, endpoint, isGateway));
    const [foreignChanges] = await Promise.all([attached, this.publishPorts(ports, endpoint.ip)]);
    this.noticeChanges(foreignChanges);
  }

  /** As `attach`, for a namespace that is in use already: it gets a further interface, whose host end is `sandbox.veth`. */
  async plug(
    sandbox: Omit<PreparedSandbox, "id">,
    endpoint: { ip: string; mac: string },
    ports: readonly PublishedPort[],
    isGateway: boolean,
  ): Promise<void> {
    const { names, config } = this.options;
    const plan = { veth: sandbox.veth, bridge: names.bridge, mtu: config.mtu, icc: config.icc };
    const address = this.addressFor(sandbox, endpoint, isGateway);
    const plugged = this.thread.call("plugSandbox", { ...plan, ...address });
    const [foreignChanges] = await Promise.all([plugged, this.publishPorts(ports, endpoint.ip)]);
    this.noticeChanges(foreignChanges);
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

  private addressFor(sandbox: { path: string }, { ip, mac }: { ip: string; mac: string }, isGateway: boolean) {
    return { path: sandbox.path, mac, ip, prefix: this.prefixLength, gateway: isGateway ? this.route : "" };
  }

  /** `foreignChanges`: the network thread's count. When others changed the packet filter, what is ours in it is looked after. */
  noticeChanges(foreignChanges: number): void {
    if (this.options.config.iptables && foreignChanges !== this.seenForeignChanges) this.checkSoon();
  }

  /** Opens the container's ports. When it throws, some may be open. */
  async publishPorts(ports: readonly PublishedPort[], ip: string): Promise<void> {
    await this.publish(publishElements(ports, ip));
    const udpPorts = ports.filter(({ protocol }) => protocol === "udp").map(({ hostPort }) => hostPort);
    // A client that sent to the port before goes on being answered by whom it was then, or nobody, unless the kernel forgets.
    if (udpPorts.length > 0) await this.reaper.call("forgetUdpFlows", udpPorts);
  }

  /** Idempotent. */
  async unpublish(ports: readonly PublishedPort[], ip: string): Promise<void> {
    if (ports.length === 0 || !this.options.config.iptables) return;
    await this.thread.call("deleteElements", this.options.names.table, publishElements(ports, ip));
  }

  /** Takes away everything that `open` made, and of what it adopted only what is ours. */
  async remove(): Promise<void> {
    clearTimeout(this.recheck);
    const { names, config, adopted } = this.options;
    if (config.iptables) {
      await this.guard.remove();
      await this.thread.call("applyRuleset", `table ip ${names.table} { }\ndelete table ip ${names.table}\n`);
    }
    if (!adopted) await this.reaper.call("deleteLink", names.bridge);
  }

  /** Ends what runs by itself; the kernel's things stay. */
  async stop(): Promise<void> {
    clearTimeout(this.recheck);
    await this.checking;
  }

  /** The rows of these ports exist already, so writing the ruleset anew publishes them, too. */
  private async publish(elements: MapElement[]): Promise<void> {
    if (elements.length === 0 || !this.options.config.iptables) return;
    try {
      await this.thread.call("addElements", this.options.names.table, elements);
    } catch (error) {
      this.logger.warn("the daemon's nftables table is not as it was left: it is written again", { error });
      await this.writeRuleset();
    }
  }

  private async writeRuleset(): Promise<void> {
    const { names, config, subnet, publishedPorts } = this.options;
    const options = {
      table: names.table,
      bridge: names.bridge,
      subnet: subnet.subnet,
      masquerade: config.ipMasq,
      icc: config.icc,
      internal: this.options.internal,
    };
    await this.thread.call("applyRuleset", renderRuleset(options, publishedPorts()));
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
