/** The address pools of a network, by version. Pure. */
import { asOneText, type Family, parsePrefix } from "../../../linux/inet.ts";
import type { EndpointRecord, IpamRecord, NetworkRecord } from "../network-store.ts";

export const families: readonly Family[] = [4, 6];

/** Whether a network gives out addresses of a version. */
export function speaks({ ipv4, ipv6 }: Pick<NetworkRecord, "ipv4" | "ipv6">, family: Family): boolean {
  return family === 4 ? ipv4 !== false : ipv6 === true;
}

/** The pools that addresses of a version are given from, in their order. */
export function poolsOf(network: Pick<NetworkRecord, "ipv4" | "ipv6" | "ipam">, family: Family): IpamRecord[] {
  if (!speaks(network, family)) return [];
  return network.ipam.filter(({ subnet }) => parsePrefix(subnet).family === family);
}

/** All pools that a network gives addresses from. */
export function activePools(network: Pick<NetworkRecord, "ipv4" | "ipv6" | "ipam">): IpamRecord[] {
  return families.flatMap((family) => poolsOf(network, family));
}

export function prefixLengthOf({ subnet }: Pick<IpamRecord, "subnet">): number {
  return parsePrefix(subnet).length;
}

/** Auxiliary addresses of a bridge network that containers' default routes lead to, instead of to the bridge. */
export const defaultGatewayKeys: Record<Family, string> = { 4: "DefaultGatewayIPv4", 6: "DefaultGatewayIPv6" };

/** Where the default route of containers with an address of this pool leads; empty: nowhere. */
export function gatewayOf({ driver }: Pick<NetworkRecord, "driver">, pool: IpamRecord, family: Family): string {
  const gateway = (driver === "bridge" && pool.auxiliary?.[defaultGatewayKeys[family]]) || pool.gateway;
  return gateway === "" ? "" : asOneText(gateway);
}

export interface EndpointAddress {
  family: Family;
  ip: string;
  /** Length of the subnet's prefix. */
  prefix: number;
  /** Empty: none. */
  gateway: string;
}

/** An endpoint's addresses, at most one of each version. */
export function addressesOf(endpoint: Partial<EndpointRecord>): EndpointAddress[] {
  const { ip = "", prefix = 0, gateway = "", ip6 = "", prefix6 = 0, gateway6 = "" } = endpoint;
  const all: EndpointAddress[] = [
    { family: 4, ip, prefix, gateway },
    { family: 6, ip: ip6, prefix: prefix6, gateway: gateway6 },
  ];
  return all.filter((address) => address.ip !== "");
}
