/** Driver options of bridge networks, read with dockerd's messages. Pure. */
import { internal, invalidArgument } from "../../../base/errors.ts";
import { parseGoBool } from "../../../base/go-bool.ts";
import { type Family, findFamily } from "../../../linux/inet.ts";
import { standardPrefix } from "../../../linux/network/sandbox-link.ts";
import { families, speaks } from "../addresses/network-pools.ts";
import type { NetworkRecord } from "../network-store.ts";

/** How a network's containers are reached from outside, and reach it. */
export type GatewayMode = "nat" | "nat-unprotected" | "routed" | "isolated";
const gatewayModes: readonly string[] = ["nat", "nat-unprotected", "routed", "isolated"];

export interface BridgeSettings {
  /** The bridge link's name. */
  name: string;
  icc: boolean;
  masquerade: boolean;
  mtu: number;
  /** Host address that ports are published on when the container names none. */
  bindAddress: string;
  modes: Record<Family, GatewayMode>;
  /** True: the bridge itself has no address of version 4; somebody else is the gateway. */
  inhibitIpv4: boolean;
  /** Interfaces of the host from which every port is reached. */
  trusted: string[];
  /** Containers' interfaces are called so, and a number. */
  interfacePrefix: string;
  /** Addresses that what leaves has from then on; absent: the outgoing interface's. */
  sources: Partial<Record<Family, string>>;
}

export interface BridgeDefaults {
  mtu: number;
  defaultBindAddress: string;
}

const prefix = "com.docker.network";
export const bridgeOptions = {
  name: `${prefix}.bridge.name`,
  icc: `${prefix}.bridge.enable_icc`,
  masquerade: `${prefix}.bridge.enable_ip_masquerade`,
  bindAddress: `${prefix}.bridge.host_binding_ipv4`,
  defaultBridge: `${prefix}.bridge.default_bridge`,
  inhibitIpv4: `${prefix}.bridge.inhibit_ipv4`,
  trusted: `${prefix}.bridge.trusted_host_interfaces`,
  mtu: `${prefix}.driver.mtu`,
  interfacePrefix: `${prefix}.container_iface_prefix`,
  enableIpv4: `${prefix}.enable_ipv4`,
  enableIpv6: `${prefix}.enable_ipv6`,
} as const;
const modeOption = (family: Family) => `${prefix}.bridge.gateway_mode_ipv${family}`;
const sourceOption = (family: Family) => `${prefix}.host_ipv${family}`;

/** Throws `invalid-argument`, `forbidden` or `internal`. */
export function bridgeSettings(record: NetworkRecord, defaults: BridgeDefaults): BridgeSettings {
  const { options } = record;
  const flag = (name: string, standard: boolean) => readBoolean(options, name) ?? standard;
  const modes = { 4: readMode(record, 4), 6: readMode(record, 6) };
  readBoolean(options, bridgeOptions.defaultBridge);
  return {
    name: bridgeNameOf(record),
    icc: flag(bridgeOptions.icc, true),
    masquerade: flag(bridgeOptions.masquerade, true) && record.internal !== true,
    mtu: readMtu(options) || defaults.mtu,
    bindAddress: readAddress(options, bridgeOptions.bindAddress) || defaults.defaultBindAddress,
    modes,
    inhibitIpv4: flag(bridgeOptions.inhibitIpv4, false),
    trusted: readTrusted(options[bridgeOptions.trusted]),
    interfacePrefix: options[bridgeOptions.interfacePrefix] || standardPrefix,
    sources: Object.fromEntries(families.flatMap((family) => readSource(options, family))),
  };
}

/** Throws for a name that no link can have. */
export function bridgeNameOf({ id, options }: Pick<NetworkRecord, "id" | "options">): string {
  const name = options[bridgeOptions.name] || `br-${id.slice(0, 12)}`;
  if (!isLinkName(name)) {
    throw invalidArgument(
      `invalid bridge name ${JSON.stringify(name)}: at most 15 characters, no space, slash, colon, quote or percent sign`,
    );
  }
  return name;
}

/** As nft and the kernel take it, which makes a number of `%d`. */
export function isLinkName(name: string): boolean {
  return /^[^\s/:"\\%]{1,15}$/.test(name) && name !== "." && name !== "..";
}

export function readBoolean(options: Record<string, string>, name: string): boolean | undefined {
  const text = options[name];
  if (text === undefined) return undefined;
  const parsed = parseGoBool(text);
  if (parsed !== undefined) return parsed;
  const cause = `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`;
  throw invalidArgument(`failed to parse ${name} value: ${text} (${cause})`);
}

function readMode(record: NetworkRecord, family: Family): GatewayMode {
  const name = modeOption(family);
  const mode = record.options[name];
  if (mode === undefined) return "nat";
  if (!gatewayModes.includes(mode)) {
    throw invalidArgument(`failed to parse ${name} value: ${mode} (unknown gateway mode ${mode})`);
  }
  if (mode === "isolated" && !record.internal) {
    throw invalidArgument("gateway mode 'isolated' can only be used for an internal network");
  }
  return mode as GatewayMode;
}

/** The kernel takes 68 to 65535 for a bridge; dockerd passes on what the kernel then says. */
function readMtu(options: Record<string, string>): number {
  const text = options[bridgeOptions.mtu];
  if (text === undefined) return 0;
  if (!/^[+-]?\d+$/.test(text)) {
    const cause = `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;
    throw invalidArgument(`failed to parse ${bridgeOptions.mtu} value: ${text} (${cause})`);
  }
  const mtu = Number(text);
  if (mtu < 0) throw invalidArgument(`invalid MTU number: ${text}`);
  if (mtu > 0 && (mtu < 68 || mtu > 65535)) throw internal("invalid argument");
  return mtu;
}

/** undefined: not given. */
function readAddress(options: Record<string, string>, name: string): string | undefined {
  const text = options[name];
  if (text === undefined || findFamily(text)) return text;
  throw invalidArgument(`failed to parse ${name} value: ${text} (nil ip)`);
}

function readSource(options: Record<string, string>, family: Family): [Family, string][] {
  const address = readAddress(options, sourceOption(family));
  if (address === undefined) return [];
  if (findFamily(address) !== family) {
    throw invalidArgument(`failed to parse ${sourceOption(family)} value: ${address} (not an IPv${family} address)`);
  }
  return [[family, address]];
}

/** `eth0:eth1` */
function readTrusted(text = ""): string[] {
  const names = text.split(":").filter((name) => name !== "");
  for (const name of names) {
    if (!isLinkName(name)) throw invalidArgument(`failed to parse ${bridgeOptions.trusted} value: ${text}`);
  }
  return names;
}

/** Whether the bridge itself has an address of a version, which then is the containers' gateway. */
export function bridgeHasAddress(
  record: NetworkRecord,
  { modes, inhibitIpv4 }: BridgeSettings,
  family: Family,
): boolean {
  return speaks(record, family) && modes[family] !== "isolated" && !(family === 4 && inhibitIpv4);
}
