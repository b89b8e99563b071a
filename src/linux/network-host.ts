/**
 * The kernel work of the network, as operations that a network thread carries out one after another: bridges, sandboxes (a network
 * namespace with one veth pair into a bridge), map elements. Synchronous inside, so it must not be used on the daemon's main thread.
 */
import { randomBytes } from "node:crypto";
import { closeSync, openSync, readFileSync } from "node:fs";
import { conflict } from "../base/errors.ts";
import { forgetUdpFlows } from "./conntrack.ts";
import { ipv4Number, macText, parsePrefix, prefixContains } from "./inet.ts";
import { createNetns, removeNetns, withNetns, writeNetSysctl } from "./netns.ts";
import { type PortRedirect, redirectPort } from "./nft-redirect.ts";
import { applyRuleset, type MapElement, NftablesSocket } from "./nftables.ts";
import { type Link, type Route, RouteSocket } from "./rtnetlink.ts";

export interface BridgeRequest {
  name: string;
  /** Says whose bridge it is; kept as the link's alias. */
  owner: string;
  /** True: a bridge that the administrator made is used as it is; false: it must be ours or not exist. */
  adopt: boolean;
  /** True: no link of this name may be there yet, whatever its kind. */
  fresh?: boolean;
  mtu: number;
  /** The bridge's only IPv4 address. */
  ip: string;
  prefix: number;
}

export interface SandboxPlan {
  /** The file that names the namespace. */
  path: string;
  /** Name of the host's end of the pair. */
  veth: string;
  /** Name of the bridge. */
  bridge: string;
  mtu: number;
  /** False: containers do not reach each other over the bridge. */
  icc: boolean;
}

export interface SandboxAddress {
  path: string;
  mac: string;
  ip: string;
  prefix: number;
  /** Empty: no default route by way of this link. */
  gateway: string;
}

/** A further interface for a namespace that exists. */
export interface PlugPlan extends SandboxPlan, SandboxAddress {}

/** Time that the kernel gets to take a link away after its namespace lost its name, in ms. Longer: something still holds it. */
const vanishTimeout = 300;

export class NetworkHost {
  private readonly route = new RouteSocket();
  private readonly nft = new NftablesSocket();
  /** Transactions committed by this thread. */
  private ownChanges = 0;
  /** Sockets inside prepared namespaces, so that configuring one needs no change of namespace. */
  private readonly prepared = new Map<string, { socket: RouteSocket; link: number }>();

  listLinks(): Link[] {
    return this.route.listLinks();
  }

  listRoutes(): (Route & { linkName: string })[] {
    const names = new Map(this.route.listLinks().map(({ index, name }) => [index, name]));
    return this.route.listRoutes().map((route) => ({ ...route, linkName: names.get(route.link) ?? "" }));
  }

  listAddresses(): { linkName: string; address: string; prefix: number }[] {
    const names = new Map(this.route.listLinks().map(({ index, name }) => [index, name]));
    return this.route.listAddresses().map(({ link, ...rest }) => ({ ...rest, linkName: names.get(link) ?? "" }));
  }

  /** Makes the bridge or brings what is there into the wanted state. Idempotent. Throws `conflict` when it is somebody else's. */
  openBridge({ name, owner, adopt, fresh = false, mtu, ip, prefix }: BridgeRequest): Link {
    let link = this.route.findLink(name);
    if (link && !adopt && (fresh || (link.alias !== owner && !this.isUnmarked(link, ip)))) {
      throw conflict(`bridge ${name} exists and is not this daemon's`);
    }
    if (!link) {
      // A fixed MAC: otherwise the bridge takes its ports' smallest one and changes it as containers come and go.
      const address = macText(Buffer.concat([Buffer.from([0x02, 0x42]), randomBytes(4)]));
      this.route.createBridge(name, { mtu, address });
      link = this.route.getLink(name);
    }
    const present = this.route.listAddresses().filter((entry) => entry.link === link.index);
    const wanted = present.some((entry) => entry.address === ip && entry.prefix === prefix);
    if (!wanted) this.route.addAddress(link.index, ip, prefix);
    if (!adopt) {
      for (const entry of present) {
        if (entry.address !== ip || entry.prefix !== prefix) {
          this.route.deleteAddress(link.index, entry.address, entry.prefix);
        }
      }
    }
    this.route.setLink(link.index, adopt ? { up: true } : { up: true, mtu, alias: owner });
    // Lets 127.0.0.1 on the host reach published ports; the ruleset keeps containers from the host's own loopback services.
    writeNetSysctl(`ipv4/conf/${name}/route_localnet`, "1");
    return this.route.getLink(name);
  }

  /** This daemon was killed between making the bridge and marking it: no alias, and no address but the bridge's own. */
  private isUnmarked({ index, alias }: Link, ip: string): boolean {
    const foreign = this.route.listAddresses().filter(({ link, address }) => link === index && address !== ip);
    return alias === "" && foreign.length === 0;
  }

  /** Turns IPv4 forwarding on. Returns whether it was off. */
  enableForwarding(): boolean {
    if (readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8").trim() === "1") return false;
    writeNetSysctl("ipv4/ip_forward", "1");
    return true;
  }

  /** Makes a namespace whose eth0 hangs on the bridge, all up but without an address. Undone when a step fails. */
  prepareSandbox({ path, veth, bridge, mtu, icc }: SandboxPlan): void {
    const master = this.route.getLink(bridge).index;
    const socket = createNetns(path, () => new RouteSocket());
    try {
      const netnsFd = openSync(path, "r");
      try {
        this.route.createVeth({ name: veth, mtu, master, peer: { name: "eth0", netnsFd } });
      } finally {
        closeSync(netnsFd);
      }
      withNetns(path, () => disableIpv6("eth0"));
      const hostEnd = this.route.getLink(veth).index;
      // Hairpin: a container that calls its own published port must get the frame back, even where br_netfilter rewrites it.
      this.route.setLink(hostEnd, {
        up: true,
        ipv6LinkLocal: false,
        port: { hairpin: true, isolated: !icc && !isBridgeFiltered() },
      });
      socket.setLink(1, { up: true });
      const link = socket.getLink("eth0").index;
      socket.setLink(link, { up: true });
      this.prepared.set(path, { socket, link });
    } catch (error) {
      socket[Symbol.dispose]();
      removeNetns(path);
      throw error;
    }
  }

  /** Gives a prepared sandbox its address. Returns `foreignChanges`. */
  attachSandbox(address: SandboxAddress): number {
    const ready = this.prepared.get(address.path);
    this.prepared.delete(address.path);
    if (ready) {
      using socket = ready.socket;
      socket.configure(ready.link, address);
    } else {
      using socket = withNetns(address.path, () => new RouteSocket());
      socket.configure(socket.getLink("eth0").index, address);
    }
    return this.foreignChanges();
  }

  /**
   * Hangs a further interface, named by the lowest free `eth` number, into a namespace in use. Undone when a step fails.
   * Returns `foreignChanges`.
   */
  plugSandbox(plan: PlugPlan): number {
    const { path, veth, bridge, mtu, icc } = plan;
    const master = this.route.getLink(bridge).index;
    using socket = withNetns(path, () => new RouteSocket());
    const taken = new Set(socket.listLinks().map(({ name }) => name));
    let number = 0;
    while (taken.has(`eth${number}`)) number++;
    const name = `eth${number}`;
    const netnsFd = openSync(path, "r");
    try {
      this.route.createVeth({ name: veth, mtu, master, peer: { name, netnsFd } });
      withNetns(path, () => disableIpv6(name));
      const port = { hairpin: true, isolated: !icc && !isBridgeFiltered() };
      this.route.setLink(this.route.getLink(veth).index, { up: true, ipv6LinkLocal: false, port });
      const link = socket.getLink(name).index;
      socket.configure(link, plan);
    } catch (error) {
      this.deleteLink(veth);
      throw error;
    } finally {
      closeSync(netnsFd);
    }
    return this.foreignChanges();
  }

  /** The namespace's default route from now on; empty: none. Idempotent. */
  setGateway(path: string, gateway: string): void {
    using socket = withNetns(path, () => new RouteSocket());
    socket.deleteDefaultRoutes();
    if (gateway === "") return;
    const number = ipv4Number(gateway);
    const own = socket
      .listRoutes()
      .find(({ destination, prefix }) => prefix > 0 && prefixContains(parsePrefix(`${destination}/${prefix}`), number));
    if (own) socket.addDefaultRoute(own.link, gateway);
  }

  /** Must precede the destruction of a prepared sandbox that was never attached: its socket would keep the namespace alive. */
  forgetSandbox(path: string): void {
    this.prepared.get(path)?.socket[Symbol.dispose]();
    this.prepared.delete(path);
  }

  /** Resolves once both the name and the host's end of the pair are gone. Idempotent. */
  async destroySandbox({ path, veth }: { path: string; veth: string }): Promise<void> {
    removeNetns(path);
    for (const deadline = Date.now() + vanishTimeout; Date.now() < deadline; await Bun.sleep(5)) {
      if (!this.route.findLink(veth)) return;
    }
    // Some process still lives in the namespace (a container that joined it): Docker takes the interface away then, too.
    this.deleteLink(veth);
  }

  /** Idempotent; blocks for tens of milliseconds. */
  deleteLink(name: string): void {
    const link = this.route.findLink(name);
    if (!link) return;
    try {
      this.route.deleteLink(link.index);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENODEV")) throw error;
    }
  }

  applyRuleset(ruleset: string): void {
    applyRuleset(ruleset);
    this.ownChanges++;
  }

  addElements(table: string, elements: MapElement[]): void {
    this.nft.addElements(table, elements);
    this.ownChanges++;
  }

  deleteElements(table: string, elements: MapElement[]): void {
    this.ownChanges += this.nft.deleteElements(table, elements);
  }

  /** Inside the namespace at `path`. See nft-redirect.ts. */
  redirectPort(path: string, redirect: PortRedirect): void {
    withNetns(path, () => redirectPort(redirect));
  }

  /** See conntrack.ts. */
  forgetUdpFlows(ports: number[]): number {
    return forgetUdpFlows(ports);
  }

  /** How often somebody else changed any table: a number that stays the same as long as only this thread does. */
  foreignChanges(): number {
    return this.nft.generation() - this.ownChanges;
  }

  hasTable(table: string): boolean {
    return this.nft.hasTable(table);
  }

  findChain(table: string, chain: string): { dropsByDefault: boolean } | undefined {
    return this.nft.findChain(table, chain);
  }
}

/**
 * Whether frames between ports of a bridge pass the IP hooks, so that the ruleset's forward chain can tell published from other
 * traffic. Isolated ports would then stop both, for br_netfilter rewrites and bridges what otherwise is routed.
 */
function isBridgeFiltered(): boolean {
  try {
    return readFileSync("/proc/sys/net/bridge/bridge-nf-call-iptables", "utf8").trim() === "1";
  } catch {
    return false;
  }
}

/** On a kernel without IPv6 there is nothing to switch off. */
function disableIpv6(link: string): void {
  try {
    writeNetSysctl(`ipv6/conf/${link}/disable_ipv6`, "1");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}
