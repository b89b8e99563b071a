/**
 * A gate: a pair of links of the host's, so that a packet which has passed the host's INPUT rules can come in once more. What is sent out
 * of the one end arrives at the other as if it were new, with the addresses that it had. Synchronous.
 */
import { conflict } from "../../base/errors.ts";
import { hasIpv6, writeIpv6Setting, writeNetSysctl } from "./net-sysctl.ts";
import type { RouteSocket } from "./rtnetlink.ts";

export interface GateLinks {
  /** Where packets are sent out. */
  exit: string;
  /** Where they come in. */
  entry: string;
  /** Says whose links these are; kept as their alias. */
  owner: string;
}

/** Of both ends: then what the one sends is for the other. */
const address = "02:42:00:00:00:01";
/** No packet that came in by any link is too long. */
const mtu = 65535;
/** The dummy address of RFC 7600: the kernel looks at where a packet came from only on links that have one. */
const dummy = { ip: "192.0.0.8", prefix: 32 };

/** Makes the links. Idempotent. Throws `conflict` when somebody else has such names. */
export function openGate(route: RouteSocket, { exit, entry, owner }: GateLinks): void {
  const present = [exit, entry].map((name) => route.findLink(name));
  if (present.some((link) => link && link.alias !== owner && link.alias !== "")) {
    throw conflict(`links ${exit} and ${entry} exist and are not this daemon's`);
  }
  if (present.every((link) => link?.alias === owner && link.up)) return;
  for (const link of present.slice(0, 1)) if (link) route.deleteLink(link.index);
  route.createVeth({ name: exit, mtu, peer: { name: entry } });
  // Whatever the source is: it is a client's, whose own way to this host is another link.
  writeNetSysctl(`ipv4/conf/${entry}/rp_filter`, "2");
  route.addAddress(route.getLink(entry).index, dummy);
  for (const name of [exit, entry]) {
    if (hasIpv6()) {
      for (const setting of ["accept_dad", "accept_ra"]) writeIpv6Setting(name, setting, "0");
      writeIpv6Setting(name, "disable_ipv6", "0");
    }
    route.setLink(route.getLink(name).index, { address, arp: false, up: true, alias: owner });
  }
}

/** Idempotent; what is somebody else's stays. */
export function removeGate(route: RouteSocket, { exit, owner }: GateLinks): void {
  const link = route.findLink(exit);
  if (link?.alias === owner) route.deleteLink(link.index);
}
