/** The address pools of a network that is created: the user's, checked with dockerd's messages, and those that are elected. Pure. */
import type { IpamPool } from "../../../api/networks.ts";
import { forbidden, internal, invalidArgument } from "../../../base/errors.ts";
import {
  asOneText,
  type Family,
  findFamily,
  findPrefix,
  type Prefix,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
  prefixText,
} from "../../../linux/inet.ts";
import type { IpamRecord } from "../network-store.ts";
import { joinProblems } from "../problems.ts";
import { firstAddress, unusableAddresses } from "./addresses.ts";
import { type AddressPool, electSubnet } from "./subnets.ts";

export interface IpamContext {
  /** Versions for which the network gives out addresses. */
  wanted: readonly Family[];
  /** Those for which no gateway is chosen: nobody is one. */
  withoutGateway: readonly Family[];
  /** Ranges of other networks. */
  others: readonly Prefix[];
  /** Ranges of the host that an elected subnet must avoid. */
  used: readonly Prefix[];
  /** Where subnets are elected from. */
  pools: Record<Family, readonly AddressPool[]>;
}

/** Of version 6. The kernel refuses such addresses, and of version 4 it takes them, as dockerd does. */
const notForHosts = [parsePrefix("::1/128"), parsePrefix("ff00::/8")];

/** Throws `invalid-argument` with all that is wrong with what the user asks for. */
export function checkPools(pools: readonly IpamPool[]): void {
  const problems = pools.flatMap(poolProblems);
  if (problems.length > 0) throw invalidArgument(`invalid network config:\n${joinProblems(problems)}`);
}

/** The given pools, those of version 4 first, then one for each wanted version that has none. Throws `forbidden`, `internal` or `unavailable`. */
export function planPools(given: readonly IpamPool[], context: IpamContext): IpamRecord[] {
  const { wanted, used, others, pools } = context;
  const isSix = ({ Subnet = "" }: IpamPool) => Number(Subnet.includes(":"));
  const own = given
    .filter(({ Subnet }) => Subnet)
    .toSorted((a, b) => isSix(a) - isSix(b))
    .map((pool) => planGiven(pool, context));
  const taken = [...used, ...others];
  const elected = wanted
    .filter((family) => !own.some(({ subnet }) => parsePrefix(subnet).family === family))
    .map((family) => fromPools(electSubnet(taken, pools[family]), family, context));
  return [...own, ...elected];
}

function planGiven(pool: IpamPool, context: IpamContext): IpamRecord {
  const subnet = parsePrefix(pool.Subnet ?? "");
  const range = pool.IPRange ? { ipRange: prefixText(parsePrefix(pool.IPRange)) } : {};
  const auxiliary = pool.AuxiliaryAddresses ? { auxiliary: pool.AuxiliaryAddresses } : {};
  const planned = { subnet: prefixText(subnet), gateway: pool.Gateway ?? "", ...range, ...auxiliary };
  if (!context.wanted.includes(subnet.family)) return planned;
  if (context.others.some((other) => prefixesOverlap(other, subnet))) {
    throw forbidden("invalid pool request: Pool overlaps with other one on this address space");
  }
  if (!pool.Gateway && context.withoutGateway.includes(subnet.family)) return planned;
  const gateway = pool.Gateway || electGateway(parsePrefix(pool.IPRange || prefixText(subnet)), subnet);
  checkReserved(gateway, subnet, pool.AuxiliaryAddresses ?? {});
  return { ...planned, gateway, ...(pool.Gateway ? {} : { gatewayElected: true }) };
}

function fromPools(elected: IpamRecord, family: Family, { withoutGateway }: IpamContext): IpamRecord {
  return { ...elected, elected: true, ...(withoutGateway.includes(family) ? { gateway: "" } : {}) };
}

/** Throws `internal` in dockerd's words when the gateway or an auxiliary address is no host's, or there twice. */
export function checkReserved(gateway: string, subnet: Prefix, auxiliary: Record<string, string>): void {
  const taken = unusableAddresses(subnet);
  if (taken.has(asOneText(gateway))) throw internal(`failed to allocate gateway (${gateway}): Address already in use`);
  taken.add(asOneText(gateway));
  for (const [name, ip] of Object.entries(auxiliary)) {
    if (taken.has(asOneText(ip)))
      throw internal(`failed to allocate secondary ip address (${name}:${ip}): Address already in use`);
    taken.add(asOneText(ip));
  }
}

/** dockerd's: the first address of the range that may be given out. */
function electGateway(range: Prefix, subnet: Prefix): string {
  const gateway = firstAddress(range, [unusableAddresses(subnet)]);
  if (gateway === undefined) throw internal("failed to allocate gateway (): no available addresses on this pool");
  return gateway;
}

function poolProblems({ Subnet = "", IPRange, Gateway, AuxiliaryAddresses }: IpamPool): string[] {
  const subnet = findPrefix(Subnet);
  if (!subnet) return [`invalid subnet ${Subnet}: invalid CIDR block notation`];
  if (notForHosts.some((range) => prefixesOverlap(range, subnet))) {
    return [`invalid subnet ${Subnet}: loopback and multicast addresses are not for hosts`];
  }
  const problems: string[] = [];
  if (prefixText(subnet) !== asWritten(Subnet)) {
    problems.push(`invalid subnet ${Subnet}: it should be ${prefixText(subnet)}`);
  }
  if (IPRange) problems.push(...rangeProblems(IPRange, subnet));
  const auxiliary = Object.entries(AuxiliaryAddresses ?? {});
  const addresses = auxiliary.map(([name, ip]) => [`auxiliary address ${name}`, ip] as const);
  for (const [what, ip] of [...(Gateway ? [[`gateway ${Gateway}`, Gateway] as const] : []), ...addresses]) {
    if (!findFamily(ip)) problems.push(`invalid ${what}: invalid address`);
    else if (!prefixContains(subnet, ip)) {
      problems.push(`invalid ${what}: parent subnet ${Subnet} doesn't contain this address`);
    }
  }
  return problems;
}

/** A prefix in the one way that its address is written, host bits included: `FD00:0:0::7/64` is `fd00::7/64`. */
function asWritten(text: string): string {
  const [address = "", length] = text.split("/");
  return `${asOneText(address)}/${Number(length)}`;
}

function rangeProblems(text: string, subnet: Prefix): string[] {
  const range = findPrefix(text);
  if (!range) return [`invalid ip-range ${text}: invalid CIDR block notation`];
  const problems: string[] = [];
  if (prefixText(range) !== asWritten(text)) {
    problems.push(`invalid ip-range ${text}: it should be ${prefixText(range)}`);
  }
  if (range.length < subnet.length) {
    problems.push(`invalid ip-range ${text}: CIDR block is bigger than its parent subnet ${prefixText(subnet)}`);
  }
  if (!prefixesOverlap(subnet, { ...range, length: Math.max(range.length, subnet.length) })) {
    problems.push(`invalid ip-range ${text}: parent subnet ${prefixText(subnet)} doesn't contain ip-range`);
  }
  return problems;
}

/** How many pools of each version the user gives. */
export function countPools(given: readonly IpamPool[]): Record<Family, number> {
  const count = (family: Family) => given.filter(({ Subnet = "" }) => findPrefix(Subnet)?.family === family).length;
  return { 4: count(4), 6: count(6) };
}
