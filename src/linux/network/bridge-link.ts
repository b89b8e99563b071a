/** A daemon's bridge as a link of the kernel's: made or taken over, with its addresses and settings. Synchronous. */
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { conflict } from "../../base/errors.ts";
import { type Family, familyOf, macText } from "../inet.ts";
import { hasIpv6, writeIpv6Setting, writeNetSysctl } from "./net-sysctl.ts";
import type { Link, RouteSocket } from "./rtnetlink.ts";
import type { LinkAddress } from "./rtnetlink-addresses.ts";

export interface BridgeRequest {
  name: string;
  /** Says whose bridge it is; kept as the link's alias. */
  owner: string;
  /** True: a bridge that the administrator made is used as it is; false: it must be ours or not exist. */
  adopt: boolean;
  /** True: no link of this name may be there yet, whatever its kind. */
  fresh?: boolean;
  mtu: number;
  /** The bridge's only addresses. */
  addresses: LinkAddress[];
}

/** Makes the bridge or brings what is there into the wanted state. Idempotent. Throws `conflict` when it is somebody else's. */
export function openBridge(route: RouteSocket, request: BridgeRequest): Link {
  const { name, owner, adopt, fresh = false, mtu, addresses } = request;
  let link = route.findLink(name);
  if (link && link.kind !== "bridge") throw conflict(`existing interface ${name} is not a bridge`);
  if (link && !adopt && (fresh || (link.alias !== owner && !isUnmarked(route, link, addresses)))) {
    throw conflict(`bridge ${name} exists and is not this daemon's`);
  }
  if (!link) {
    // A fixed MAC: otherwise the bridge takes its ports' smallest one and changes it as containers come and go.
    const address = macText(Buffer.concat([Buffer.from([0x02, 0x42]), randomBytes(4)]));
    route.createBridge(name, { mtu, address });
    link = route.getLink(name);
  }
  setIpv6(name, addresses, adopt);
  settleAddresses(route, link, request);
  route.setLink(link.index, adopt ? { up: true } : { up: true, mtu, alias: owner });
  if (addresses.some(({ ip }) => familyOf(ip) === 6)) letLoopbackIn(route, link);
  // Lets 127.0.0.1 on the host reach published ports; the ruleset keeps containers from the host's own loopback services.
  writeNetSysctl(`ipv4/conf/${name}/route_localnet`, "1");
  return route.getLink(name);
}

/**
 * What a container answers to ::1 comes by the bridge, and the kernel looks only there for a loopback address. By any other way of the
 * kernel's to itself it is not found: that has a lower metric.
 * Equal metrics would be one route.
 */
function letLoopbackIn(route: RouteSocket, { index }: Link): void {
  try {
    route.addLocalRoute(index, "::1", 2048 + index);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
}

/** Turns forwarding on. Returns whether it was off. */
export function enableForwarding(family: Family): boolean {
  if (family === 6) return enableForwarding6();
  if (readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8").trim() === "1") return false;
  writeNetSysctl("ipv4/ip_forward", "1");
  return true;
}

/** A host that forwards no longer listens to routers, which may be where its own default route is from: it is told to go on. */
function enableForwarding6(): boolean {
  const all = "/proc/sys/net/ipv6/conf";
  if (!hasIpv6() || readFileSync(`${all}/all/forwarding`, "utf8").trim() === "1") return false;
  for (const name of readdirSync(all)) {
    if (name === "all" || name === "lo") continue;
    if (readFileSync(`${all}/${name}/accept_ra`, "utf8").trim() === "1") writeIpv6Setting(name, "accept_ra", "2");
  }
  writeIpv6Setting("all", "forwarding", "1");
  return true;
}

/** A bridge is no host among those that announce routes; one without addresses of version 6 speaks none. */
function setIpv6(name: string, addresses: readonly LinkAddress[], adopt: boolean): void {
  const wanted = addresses.some(({ ip }) => familyOf(ip) === 6);
  if (!wanted && adopt) return;
  writeIpv6Setting(name, "accept_ra", "0", { wanted });
  // Nobody else can have its link's own address, and while the kernel looks for one it forwards nothing: a second for the first container.
  writeIpv6Setting(name, "accept_dad", "0", { wanted });
  writeIpv6Setting(name, "disable_ipv6", wanted ? "0" : "1", { wanted });
}

function settleAddresses(route: RouteSocket, { index }: Link, { addresses, adopt }: BridgeRequest): void {
  const isSame = (a: LinkAddress, b: LinkAddress) => a.ip === b.ip && a.prefix === b.prefix;
  const present = route.listAddresses().filter(({ link }) => link === index);
  for (const address of addresses) {
    if (!present.some((entry) => isSame(entry, address))) route.addAddress(index, address);
  }
  if (adopt) return;
  for (const entry of present.filter(({ ip }) => !isLinkLocal(ip))) {
    if (!addresses.some((address) => isSame(entry, address))) route.deleteAddress(index, entry);
  }
}

/** This daemon was killed between making the bridge and marking it: no alias, and no addresses but the bridge's own. */
function isUnmarked(route: RouteSocket, { index, alias }: Link, addresses: readonly LinkAddress[]): boolean {
  const isOwn = (ip: string) => isLinkLocal(ip) || addresses.some((address) => address.ip === ip);
  const foreign = route.listAddresses().filter(({ link, ip }) => link === index && !isOwn(ip));
  return alias === "" && foreign.length === 0;
}

/** Given by the kernel. */
function isLinkLocal(ip: string): boolean {
  return /^fe[89ab]/.test(ip);
}
