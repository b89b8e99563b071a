/** Which range of addresses a network gets: the first one that nothing on the host uses. Pure. */
import { createHash } from "node:crypto";
import { unavailable } from "../../../base/errors.ts";
import {
  bytesText,
  type Family,
  findFamily,
  type Prefix,
  parsePrefix,
  prefixesOverlap,
  prefixOf,
  prefixSize,
  prefixText,
} from "../../../linux/inet.ts";
import { firstAddress, unusableAddresses } from "./addresses.ts";

/** A range, and the length of the prefixes that it is cut into. */
export interface AddressPool {
  base: string;
  size: number;
}

/** Docker's own pools: 172.17.0.0/16 … 172.31.0.0/16, then 192.168.0.0/16 in pieces of /20. */
export const dockerPools: readonly AddressPool[] = [
  ...Array.from({ length: 15 }, (_, index) => ({ base: `172.${17 + index}.0.0/16`, size: 16 })),
  { base: "192.168.0.0/16", size: 20 },
];

/** Of networks that users make: small ones, so that there can be thousands. */
export const userPools: readonly AddressPool[] = [
  ...Array.from({ length: 14 }, (_, index) => ({ base: `172.${18 + index}.0.0/16`, size: 24 })),
  { base: "192.168.0.0/16", size: 24 },
];

/** Unique local addresses (RFC 4193), as dockerd has them: a /48 that is this engine's own, in pieces of /64. */
export function localPools(engineId: string): readonly AddressPool[] {
  const hash = createHash("sha256").update(engineId).digest().subarray(0, 5);
  const base = Buffer.concat([Buffer.from([0xfd]), hash, Buffer.alloc(10)]);
  return [{ base: `${bytesText(base)}/48`, size: 64 }];
}

/** What a bridge is given: the subnet as text and the gateway, its first address unless chosen otherwise. */
export interface Subnet {
  subnet: string;
  gateway: string;
}

/** Those of one family among the configured pools, else the standard ones. */
export function chosenPools(
  family: Family,
  configured: readonly AddressPool[] | undefined,
  standard: readonly AddressPool[],
): readonly AddressPool[] {
  const own = configured?.filter(({ base }) => parsePrefix(base).family === family) ?? [];
  return own.length > 0 ? own : standard;
}

/** Throws `unavailable` in Docker's words when every range is in use. */
export function electSubnet(used: readonly Prefix[], pools: readonly AddressPool[] = dockerPools): Subnet {
  for (const { base, size } of pools) {
    const pool = parsePrefix(base);
    const end = pool.base + prefixSize(pool);
    const step = prefixSize({ ...pool, length: size });
    for (let start = pool.base; start < end; start += step) {
      const candidate = { family: pool.family, base: start, length: size };
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
    ...routed.map(({ destination, prefix }) => prefixOf(destination, prefix)),
    ...nameservers.filter(findFamily).map((address) => prefixOf(address, findFamily(address) === 6 ? 128 : 32)),
  ];
}

/** A whole range, with the first address that a gateway may have. */
export function subnetOf(prefix: Prefix): Subnet {
  const gateway = firstAddress(prefix, [unusableAddresses(prefix)]);
  if (gateway === undefined) throw unavailable("failed to allocate gateway (): no available addresses on this pool");
  return { subnet: prefixText(prefix), gateway };
}
