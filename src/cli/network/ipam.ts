/** The address pools of `network create`: each range, gateway and auxiliary address goes to the subnet that contains it. */
import { isIP } from "node:net";
import type { IpamPool } from "../../api/networks.ts";
import { CliError } from "../command.ts";

export interface IpamOptions {
  subnets: readonly string[];
  ranges: readonly string[];
  gateways: readonly string[];
  auxiliary: Readonly<Record<string, string>>;
}

/** Throws CliError in docker's words for what fits no subnet. */
export function ipamPools({ subnets, ranges, gateways, auxiliary }: IpamOptions): IpamPool[] {
  if (subnets.length < ranges.length || subnets.length < gateways.length) {
    throw new CliError("every ip-range or gateway must have a corresponding subnet");
  }
  const pools = new Map<string, IpamPool>();
  for (const subnet of subnets) {
    const overlaps = [...pools.keys()].some((known) => contains(known, subnet) || contains(subnet, known));
    if (overlaps) throw new CliError("multiple overlapping subnet configuration is not supported");
    pools.set(subnet, { Subnet: subnet, AuxiliaryAddresses: {} });
  }
  const poolOf = (address: string) => [...pools].find(([subnet]) => contains(subnet, address))?.[1];
  for (const range of ranges) {
    const pool = poolOf(range);
    if (!pool) throw new CliError(`no matching subnet for range ${range}`);
    if (pool.IPRange)
      throw new CliError(
        `cannot configure multiple ranges (${range}, ${pool.IPRange}) on the same subnet (${pool.Subnet})`,
      );
    pool.IPRange = range;
  }
  for (const gateway of gateways) {
    const pool = poolOf(gateway);
    if (!pool) throw new CliError(`no matching subnet for gateway ${gateway}`);
    if (pool.Gateway)
      throw new CliError(
        `cannot configure multiple gateways (${gateway}, ${pool.Gateway}) for the same subnet (${pool.Subnet})`,
      );
    pool.Gateway = gateway;
  }
  for (const [name, address] of Object.entries(auxiliary)) {
    const pool = poolOf(address);
    if (!pool) throw new CliError(`no matching subnet for aux-address ${address}`);
    pool.AuxiliaryAddresses = { ...pool.AuxiliaryAddresses, [name]: address };
  }
  return [...pools.values()].map(({ Subnet, IPRange, Gateway, AuxiliaryAddresses }) => ({
    ...(Subnet === undefined ? {} : { Subnet }),
    ...(IPRange === undefined ? {} : { IPRange }),
    ...(Gateway === undefined ? {} : { Gateway }),
    ...(Object.keys(AuxiliaryAddresses ?? {}).length === 0 ? {} : { AuxiliaryAddresses: AuxiliaryAddresses ?? null }),
  }));
}

/** Whether the subnet holds the address (or the first address of the range). Throws CliError for what is no subnet. */
function contains(subnet: string, address: string): boolean {
  const [base = "", bits = ""] = subnet.split("/");
  const version = isIP(base);
  if (version === 0 || !/^\d{1,3}$/.test(bits)) throw new CliError(`invalid CIDR address: ${subnet}`);
  const plain = address.split("/")[0] ?? "";
  if (isIP(plain) === 0) throw new CliError(`invalid CIDR address: ${address}`);
  if (isIP(plain) !== version) return false;
  const shift = BigInt((version === 4 ? 32 : 128) - Number(bits));
  return toNumber(base) >> shift === toNumber(plain) >> shift;
}

function toNumber(address: string): bigint {
  if (isIP(address) === 4) return address.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
  const [left = "", right] = address.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const [head, tail] = [groups(left), groups(right ?? "")];
  const zeros = right === undefined ? 0 : 8 - head.length - tail.length;
  const all = [...head, ...Array<string>(zeros).fill("0"), ...tail];
  return all.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}
