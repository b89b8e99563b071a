/** An endpoint's interface, as the kernel is to make it: addresses, routes, and what the endpoint's driver options say. Pure. */
import { invalidArgument } from "../../../base/errors.ts";
import { findFamily, parsePrefix, prefixContains } from "../../../linux/inet.ts";
import type { DefaultRoute, LinkAddress } from "../../../linux/network/rtnetlink-addresses.ts";
import type { SandboxAddress } from "../../../linux/network/sandbox-link.ts";
import { addressesOf } from "../addresses/network-pools.ts";
import type { ConnectableNetwork } from "../drivers/connectable-network.ts";
import type { EndpointRecord } from "../network-store.ts";

const prefix = "com.docker.network.endpoint";
export const endpointOptions = { name: `${prefix}.ifname`, sysctls: `${prefix}.sysctls` } as const;
const linkLocal = [parsePrefix("169.254.0.0/16"), parsePrefix("fe80::/64")];

/** `routes`: the container's ways out that this interface is. */
export function linkOf(
  endpoint: EndpointRecord,
  { interfacePrefix, announcements }: Pick<ConnectableNetwork, "interfacePrefix" | "announcements">,
  routes: readonly DefaultRoute[],
): SandboxAddress {
  const { sandboxKey, mac, driverOpts, ipamConfig } = endpoint;
  const given = addressesOf(endpoint).map(({ ip, prefix: length }) => ({ ip, prefix: length }));
  return {
    path: sandboxKey,
    label: endpoint.veth || endpoint.endpointId.slice(0, 12),
    interface: { name: driverOpts?.[endpointOptions.name] || undefined, prefix: interfacePrefix },
    mac,
    addresses: [...given, ...(ipamConfig?.LinkLocalIPs ?? []).map(linkLocalAddress)],
    routes: [...routes],
    sysctls: sysctlsOf(driverOpts),
    announcements,
  };
}

export function sysctlsOf(driverOpts: Record<string, string> | null | undefined): string[] {
  return driverOpts?.[endpointOptions.sysctls]?.split(",") ?? [];
}

/** Throws `invalid-argument`. */
export function linkLocalAddress(ip: string): LinkAddress {
  const range = findFamily(ip) && linkLocal.find((entry) => prefixContains(entry, ip));
  if (!range) throw invalidArgument(`invalid link local IP address: ${ip}`);
  return { ip, prefix: range.length };
}
