/**
 * The default bridge's pool of one version, as dockerd decides it: `--bip`, else an address that the bridge has already, else
 * `--fixed-cidr`. Pure.
 */
import { forbidden, invalidArgument } from "../../../base/errors.ts";
import {
  type Family,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
  prefixOf,
  prefixText,
} from "../../../linux/inet.ts";
import type { LinkAddress } from "../../../linux/network/rtnetlink-addresses.ts";
import type { IpamRecord } from "../network-store.ts";
import { checkReserved } from "./ipam-plan.ts";
import { defaultGatewayKeys } from "./network-pools.ts";
import { subnetOf, subnetOfBip } from "./subnets.ts";

/** What the configuration says for one version. */
export interface BridgeWishes {
  /** The bridge's own address and prefix. */
  bip: string | undefined;
  /** Where containers' addresses are from. */
  range: string | undefined;
  /** Where containers' default route leads, instead of to the bridge. */
  defaultGateway: string | undefined;
}

export interface BridgeAddresses {
  /** Of the one version, in the kernel's order. */
  present: readonly LinkAddress[];
  /** True: the bridge is the administrator's, and so are its addresses. */
  adopted: boolean;
}

/** `ignoredRange`: the administrator's bridge has no subnet for it. */
export interface GivenPool {
  pool: IpamRecord;
  ignoredRange?: boolean;
}

const linkLocal = parsePrefix("fe80::/64");

/** undefined: nothing says, and the pool is to be elected. Throws `invalid-argument` in dockerd's words. */
export function givenPool(family: Family, wishes: BridgeWishes, bridge: BridgeAddresses): GivenPool | undefined {
  const { bip, range } = wishes;
  const within = range ? { ipRange: prefixText(parsePrefix(range)) } : {};
  const own = bip ?? chosenAddress(bridge, range);
  if (own === undefined) {
    return range ? { pool: { ...subnetOf(parsePrefix(range)), gatewayElected: true, ...within } } : undefined;
  }
  const pool = subnetOfBip(own);
  if (!range || !bridge.adopted || fits(range, pool.subnet)) return { pool: { ...pool, ...within } };
  // Of version 4, dockerd has always started with it, and given out addresses of the whole subnet.
  if (family === 4) return { pool, ignoredRange: true };
  throw invalidArgument(
    `fixed-cidr-v6=${range} is outside any subnet implied by addresses on the user-managed default bridge`,
  );
}

/** The pool, with the default gateway kept from containers. Throws `forbidden` or `internal` in dockerd's words. */
export function withDefaultGateway(pool: IpamRecord, family: Family, gateway: string | undefined): IpamRecord {
  const { auxiliary: _former, ...plain } = pool;
  if (gateway === undefined) return plain;
  const name = defaultGatewayKeys[family];
  if (!prefixContains(parsePrefix(pool.subnet), gateway)) {
    throw forbidden(`auxiliary address: (${name}:${gateway}) must belong to the master pool: ${pool.subnet}`);
  }
  checkReserved(pool.gateway, parsePrefix(pool.subnet), { [name]: gateway });
  return { ...plain, auxiliary: { [name]: gateway } };
}

/** Of a bridge's addresses the one that suits the range best, with its prefix; of a bridge of our own, made to suit it. */
function chosenAddress({ present, adopted }: BridgeAddresses, range: string | undefined): string | undefined {
  const start = range?.slice(0, range.indexOf("/"));
  const wantsLinkLocal = start !== undefined && prefixContains(linkLocal, start);
  const usable = present.filter(({ ip }) => wantsLinkLocal || !prefixContains(linkLocal, ip));
  const chosen = start === undefined ? usable[0] : nearest(usable, range as string, start);
  if (!chosen) return undefined;
  if (adopted || start === undefined) return `${chosen.ip}/${chosen.prefix}`;
  // The range has changed since this bridge got its address.
  if (!holds(chosen, start)) return undefined;
  return `${chosen.ip}/${Math.min(chosen.prefix, parsePrefix(range as string).length)}`;
}

/** The address whose subnet has the range, else the first in the range, else the first. */
function nearest(addresses: readonly LinkAddress[], range: string, start: string): LinkAddress | undefined {
  return (
    addresses.find((address) => holds(address, start)) ??
    addresses.find(({ ip }) => prefixContains(parsePrefix(range), ip)) ??
    addresses[0]
  );
}

function holds({ ip, prefix }: LinkAddress, address: string): boolean {
  return prefixContains(prefixOf(ip, prefix), address);
}

function fits(range: string, subnet: string): boolean {
  const [part, whole] = [parsePrefix(range), parsePrefix(subnet)];
  return part.length >= whole.length && prefixesOverlap(whole, part);
}
