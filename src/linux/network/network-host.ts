/**
 * The kernel work of the network, as operations that a network thread carries out one after another: bridges, sandboxes (a network
 * namespace with one veth pair into a bridge), map elements. Synchronous inside, so it must not be used on the daemon's main thread.
 */
import { closeSync, existsSync, openSync } from "node:fs";
import type { Family } from "../inet.ts";
import type { NftFamily } from "../nft/nfnetlink.ts";
import { type PortRedirect, redirectPort } from "../nft/nft-redirect.ts";
import { applyRuleset, type MapElement, NftablesSocket } from "../nft/nftables.ts";
import { announce } from "./announcement.ts";
import { type BridgeRequest, enableForwarding, openBridge } from "./bridge-link.ts";
import { forgetUdpFlows } from "./conntrack.ts";
import { type GateLinks, openGate, removeGate } from "./gate-link.ts";
import { isBridgeFiltered } from "./net-sysctl.ts";
import { createNetns, removeNetns, withNetns } from "./netns.ts";
import {
  type ChildPlan,
  createEmptySandbox,
  openParent,
  type ParentRequest,
  plugChild,
  removeParent,
  unplugChild,
} from "./parent-link.ts";
import { type Link, RouteSocket } from "./rtnetlink.ts";
import type { DefaultRoute, Route } from "./rtnetlink-addresses.ts";
import { configureLink, freeName, type SandboxAddress, silenceIpv6, standardPrefix } from "./sandbox-link.ts";

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

/** A further interface for a namespace that exists. */
export interface PlugPlan extends SandboxPlan, SandboxAddress {}

/** A default route by way of the interface that has an address. */
export interface ChosenRoute extends DefaultRoute {
  ip: string;
}

/** Time that the kernel gets to take a link away after its namespace lost its name, in ms. Longer: something still holds it. */
const vanishTimeout = 300;
/** What a prepared sandbox's interface is called. */
const firstName = `${standardPrefix}0`;

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
    return this.withNames(this.route.listRoutes());
  }

  listAddresses(): { linkName: string; ip: string; prefix: number }[] {
    return this.withNames(this.route.listAddresses());
  }

  private withNames<T extends { link: number }>(entries: T[]): (T & { linkName: string })[] {
    const names = new Map(this.route.listLinks().map(({ index, name }) => [index, name]));
    return entries.map((entry) => ({ ...entry, linkName: names.get(entry.link) ?? "" }));
  }

  /** See bridge-link.ts. */
  openBridge(request: BridgeRequest): Link {
    return openBridge(this.route, request);
  }

  /** See bridge-link.ts. */
  enableForwarding(family: Family): boolean {
    return enableForwarding(family);
  }

  /** Makes a namespace whose eth0 hangs on the bridge, all up but without an address. Undone when a step fails. */
  prepareSandbox({ path, veth, bridge, mtu, icc }: SandboxPlan): void {
    const master = this.route.getLink(bridge).index;
    const socket = createNetns(path, () => new RouteSocket());
    try {
      const netnsFd = openSync(path, "r");
      try {
        this.route.createVeth({ name: veth, mtu, master, peer: { name: firstName, netnsFd } });
      } finally {
        closeSync(netnsFd);
      }
      withNetns(path, () => silenceIpv6(firstName));
      const hostEnd = this.route.getLink(veth).index;
      // Hairpin: a container that calls its own published port must get the frame back, even where br_netfilter rewrites it.
      this.route.setLink(hostEnd, {
        up: true,
        ...withoutLinkLocal(mtu),
        port: { hairpin: true, isolated: !icc && !isBridgeFiltered() },
      });
      socket.setLink(1, { up: true });
      const link = socket.getLink(firstName).index;
      socket.setLink(link, { up: true });
      this.prepared.set(path, { socket, link });
    } catch (error) {
      socket[Symbol.dispose]();
      removeNetns(path);
      throw error;
    }
  }

  /** Gives a prepared sandbox its addresses. Returns `foreignChanges`. */
  attachSandbox(address: SandboxAddress): number {
    const { path } = address;
    const ready = this.prepared.get(path);
    this.prepared.delete(path);
    using socket = ready?.socket ?? withNetns(path, () => new RouteSocket());
    const link = ready?.link ?? socket.getLink(firstName).index;
    const isPlain = address.interface.name === undefined && address.interface.prefix === standardPrefix;
    const name = isPlain ? firstName : freeName(address.interface, address.label, socket, firstName);
    if (name !== firstName) socket.setLink(link, { up: false });
    configureLink(socket, link, name, name === firstName ? {} : { name }, address);
    announceSoon(address);
    return this.foreignChanges();
  }

  /** Hangs a further interface into a namespace in use. Undone when a step fails. Returns `foreignChanges`. */
  plugSandbox(plan: PlugPlan): number {
    const { path, veth, bridge, mtu, icc } = plan;
    const master = this.route.getLink(bridge).index;
    using socket = withNetns(path, () => new RouteSocket());
    const name = freeName(plan.interface, plan.label, socket);
    const netnsFd = openSync(path, "r");
    try {
      this.route.createVeth({ name: veth, mtu, master, peer: { name, netnsFd } });
      withNetns(path, () => silenceIpv6(name));
      const port = { hairpin: true, isolated: !icc && !isBridgeFiltered() };
      this.route.setLink(this.route.getLink(veth).index, { up: true, ...withoutLinkLocal(mtu), port });
      configureLink(socket, socket.getLink(name).index, name, {}, plan);
      announceSoon(plan);
    } catch (error) {
      this.deleteLink(veth);
      throw error;
    } finally {
      closeSync(netnsFd);
    }
    return this.foreignChanges();
  }

  /** See gate-link.ts. */
  openGate(links: GateLinks): void {
    openGate(this.route, links);
  }

  /** See gate-link.ts. */
  removeGate(links: GateLinks): void {
    removeGate(this.route, links);
  }

  /** See parent-link.ts. */
  openParent(request: ParentRequest): void {
    openParent(this.route, request);
  }

  /** See parent-link.ts. */
  removeParent(request: Pick<ParentRequest, "name" | "owner">): void {
    removeParent(this.route, request);
  }

  /** See parent-link.ts. */
  createEmptySandbox(path: string): void {
    createEmptySandbox(path);
  }

  /** See parent-link.ts. */
  plugChild(plan: ChildPlan): void {
    plugChild(this.route, plan);
    announceSoon(plan);
  }

  /** See parent-link.ts. */
  unplugChild(path: string, ips: string[]): void {
    unplugChild(path, ips);
  }

  /** Whether an interface in the namespace has all of the addresses; false where there is no such namespace. */
  hasAddresses(path: string, ips: string[]): boolean {
    if (!existsSync(path)) return false;
    using socket = withNetns(path, () => new RouteSocket());
    const present = new Set(socket.listAddresses().map(({ ip }) => ip));
    return ips.every((ip) => present.has(ip));
  }

  /** The namespace's only default routes from now on. Idempotent: those that are there already are not touched. */
  setDefaultRoutes(path: string, wanted: ChosenRoute[]): void {
    using socket = withNetns(path, () => new RouteSocket());
    const links = new Map(socket.listAddresses().map(({ ip, link }) => [ip, link]));
    const missing = new Map(wanted.flatMap((route) => (links.has(route.ip) ? [[route.family, route]] : [])));
    for (const { destination, prefix, link, gateway = "" } of socket.listRoutes()) {
      if (prefix !== 0) continue;
      const family = destination === "::" ? 6 : 4;
      const kept = missing.get(family);
      if (kept && kept.via === gateway && links.get(kept.ip) === link) missing.delete(family);
      else socket.deleteDefaultRoute(link, { family, via: gateway });
    }
    for (const route of missing.values()) socket.addDefaultRoute(links.get(route.ip) ?? 0, route);
  }

  /** Must precede the destruction of a prepared sandbox that was never attached: its socket would keep the namespace alive. */
  forgetSandbox(path: string): void {
    this.prepared.get(path)?.socket[Symbol.dispose]();
    this.prepared.delete(path);
  }

  /** Resolves once both the name and the host's end of the pair (empty: it has none) are gone. Idempotent. */
  async destroySandbox({ path, veth }: { path: string; veth: string }): Promise<void> {
    removeNetns(path);
    if (veth === "") return;
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

  hasTable(table: string, family: NftFamily = "inet"): boolean {
    return this.nft.hasTable(table, family);
  }

  findChain(family: NftFamily, table: string, chain: string): { dropsByDefault: boolean } | undefined {
    return this.nft.findChain(family, table, chain);
  }
}

/** Not before whoever waits for the interface has it. */
function announceSoon(address: SandboxAddress): void {
  setTimeout(() => announce(address, address.announcements), 0);
}

/** The host's end needs no address of version 6. A link whose MTU is too small for that version takes no settings of it. */
function withoutLinkLocal(mtu: number | undefined): { ipv6LinkLocal?: false } {
  return mtu !== undefined && mtu !== 0 && mtu < 1280 ? {} : { ipv6LinkLocal: false };
}
