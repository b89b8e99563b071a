/** Which range of addresses a bridge gets: the first one that nothing on the host uses. Pure. */
import { unavailable } from "../../base/errors.ts";
import {
  ipv4Text,
  isIpv4,
  networkOf,
  type Prefix,
  parsePrefix,
  prefixesOverlap,
  prefixSize,
  prefixText,
} from "../../linux/inet.ts";

/** Docker's own pools: 172.17.0.0/16 … 172.31.0.0/16, then 192.168.0.0/16 in pieces of /20. */
export const dockerPools: readonly { base: string; size: number }[] = [
  ...Array.from({ length: 15 }, (_, index) => ({ base: `172.${17 + index}.0.0/16`, size: 16 })),
  { base: "192.168.0.0/16", size: 20 },
];

/** Of networks that users make: small ones, so that there can be thousands. */
export const userPools: readonly { base: string; size: number }[] = [
  ...Array.from({ length: 14 }, (_, index) => ({ base: `172.${18 + index}.0.0/16`, size: 24 })),
  { base: "192.168.0.0/16", size: 24 },
];

/** What a bridge is given: the subnet as text and the gateway, its first address unless chosen otherwise. */
export interface Subnet {
  subnet: string;
  gateway: string;
}

/** Throws `unavailable` in Docker's words when every range is in use. */
export function electSubnet(
  used: readonly Prefix[],
  pools: readonly { base: string; size: number }[] = dockerPools,
): Subnet {
  for (const { base, size } of pools) {
    const pool = parsePrefix(base);
    const end = pool.base + prefixSize(pool.length);
    for (let start = pool.base; start < end; start += prefixSize(size)) {
      const candidate = { base: start, length: size };
      if (!used.some((prefix) => prefixesOverlap(prefix, candidate))) return subnetOf(candidate);
    }
  }
  throw unavailable("all predefined address pools have been fully subnetted");
}

/** Reads `--bip`: the bridge's own address with its prefix. Throws `invalid-argument`. */
export function subnetOfBip(bip: string): Subnet {
  const prefix = parsePrefix(bip);
  return { subnet: prefixText(prefix), gateway: bip.slice(0, bip.indexOf("/")) };
}

/** What must not be handed out: routes (but the default one and our own bridge's) and the networks of the host's name servers. */
export function usedPrefixes(
  routes: readonly { destination: string; prefix: number; linkName: string }[],
  nameservers: readonly string[],
  ownBridge: string,
): Prefix[] {
  const routed = routes.filter(({ prefix, linkName }) => prefix > 0 && linkName !== ownBridge);
  return [
    ...routed.map(({ destination, prefix }) => parsePrefix(`${destination}/${prefix}`)),
    ...nameservers.filter(isIpv4).map((address) => parsePrefix(`${address}/32`)),
  ];
}

function subnetOf(prefix: Prefix): Subnet {
  return { subnet: prefixText(prefix), gateway: ipv4Text(networkOf(prefix.base, prefix.length) + 1) };
}
