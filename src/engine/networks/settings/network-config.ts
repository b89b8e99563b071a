/** How the daemon's flags and daemon.json shape its network. All fields are optional; the defaults are dockerd's. */

import type { Family } from "../../../linux/inet.ts";

export interface NetworkConfig {
  /** The administrator's bridge, which exists and is never removed; `none`: no default bridge. Undefined: one of the daemon's own. */
  bridge?: string | undefined;
  /** Address and prefix of the default bridge, `172.20.0.1/16`. Undefined: the first private range that nothing on the host uses. */
  bip?: string | undefined;
  /** Part of the default bridge's subnet that containers get addresses from. */
  fixedCidr?: string | undefined;
  /** True: the default bridge has addresses of version 6, too. */
  ipv6?: boolean | undefined;
  /** As `bip` and `fixedCidr`. */
  bip6?: string | undefined;
  fixedCidrV6?: string | undefined;
  /** Where containers of the default bridge have their default route, instead of at the bridge. */
  defaultGateway?: string | undefined;
  defaultGatewayV6?: string | undefined;
  /** True: published ports of containers are reached from outside by the containers' own addresses, too. */
  allowDirectRouting?: boolean | undefined;
  /** Undefined: that of the host's way to the outside. */
  mtu?: number | undefined;
  /** `input`: published ports obey the host's INPUT rules; `docker` (the default): they do not. */
  firewallMode?: "docker" | "input" | undefined;
  /** False: no packet filter rules at all, so no NAT and no published ports. */
  iptables?: boolean | undefined;
  /** False: none for version 6, whose packets pass as they are; nothing is published there. */
  ip6tables?: boolean | undefined;
  ipForward?: boolean | undefined;
  ipMasq?: boolean | undefined;
  /** Whether containers on the default bridge reach each other. */
  icc?: boolean | undefined;
  /** Host address that ports are published on when the container names none. */
  defaultBindAddress?: string | undefined;
  defaultAddressPools?: readonly { base: string; size: number }[] | undefined;
  /** By driver: options of networks whose creator says nothing of them. */
  defaultNetworkOptions?: Record<string, Record<string, string>> | undefined;
  dns?: readonly string[] | undefined;
  dnsSearch?: readonly string[] | undefined;
  dnsOptions?: readonly string[] | undefined;
  /** What `host-gateway` in extra hosts means; undefined: the bridge's address. */
  hostGatewayIp?: string | undefined;
}

/** Ethernet's. */
export const standardMtu = 1500;

/** The configuration with dockerd's defaults filled in. */
export interface ResolvedNetworkConfig extends NetworkConfig {
  /** Until the host's links are known, the standard one unless given. */
  mtu: number;
  givenMtu: boolean;
  iptables: boolean;
  ipForward: boolean;
  ipMasq: boolean;
  icc: boolean;
  defaultBindAddress: string;
}

export function resolveNetworkConfig(config: NetworkConfig): ResolvedNetworkConfig {
  return {
    ...config,
    mtu: config.mtu || standardMtu,
    givenMtu: Boolean(config.mtu),
    iptables: config.iptables ?? true,
    ipForward: config.ipForward ?? true,
    ipMasq: config.ipMasq ?? true,
    icc: config.icc ?? true,
    defaultBindAddress: config.defaultBindAddress || "0.0.0.0",
  };
}

/** The versions that the daemon may write packet filter rules for. */
export function filteredFamilies({ iptables, ip6tables }: ResolvedNetworkConfig): readonly Family[] {
  if (!iptables) return [];
  return ip6tables === false ? [4] : [4, 6];
}
