/** `docker network create`: the request, checked with dockerd's messages, becomes a network's record. Pure. */
import type { IpamPool, NetworkCreateRequest } from "../../api/networks.ts";
import { conflict, forbidden, internal, invalidArgument, notFound, notImplemented } from "../../base/errors.ts";
import {
  ipv4Number,
  ipv4Text,
  isIpv4,
  type Prefix,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
  prefixSize,
  prefixText,
} from "../../linux/inet.ts";
import { unusableAddresses } from "./addresses.ts";
import type { ResolvedNetworkConfig } from "./network-config.ts";
import type { IpamRecord, NetworkRecord } from "./network-store.ts";
import { joinProblems } from "./problems.ts";
import { electSubnet, userPools } from "./subnets.ts";

export interface NetworkPlanContext {
  id: string;
  /** RFC 3339. */
  created: string;
  /** All networks there are. */
  existing: readonly NetworkRecord[];
  /** Ranges of the host that an elected subnet must avoid. */
  used: readonly Prefix[];
  pools: readonly { base: string; size: number }[] | undefined;
}

const prefix = "com.docker.network";
export const bridgeOptions = {
  name: `${prefix}.bridge.name`,
  icc: `${prefix}.bridge.enable_icc`,
  masquerade: `${prefix}.bridge.enable_ip_masquerade`,
  bindAddress: `${prefix}.bridge.host_binding_ipv4`,
  mtu: `${prefix}.driver.mtu`,
} as const;
/** Options of Docker's bridge driver that are not built: an error, never silently ignored. */
const missingOptions = [
  `${prefix}.bridge.gateway_mode_ipv4`,
  `${prefix}.bridge.gateway_mode_ipv6`,
  `${prefix}.bridge.inhibit_ipv4`,
  `${prefix}.bridge.trusted_host_interfaces`,
  `${prefix}.container_iface_prefix`,
  `${prefix}.host_ipv4`,
];

/** Throws `invalid-argument`, `conflict`, `forbidden`, `not-found`, `not-implemented` or `unavailable`. */
export function planNetwork(request: NetworkCreateRequest, context: NetworkPlanContext): NetworkRecord {
  checkKind(request);
  if (context.existing.some(({ name }) => name === request.Name)) {
    throw conflict(`network with name ${request.Name} already exists`);
  }
  const pools = request.IPAM?.Config ?? [];
  const problems = pools.flatMap(poolProblems);
  if (problems.length > 0) throw invalidArgument(`invalid network config:\n${joinProblems(problems)}`);
  const options = request.Options ?? {};
  const record: NetworkRecord = {
    id: context.id,
    name: request.Name,
    driver: "bridge",
    created: context.created,
    ipam: [planSubnet(pools, context)],
    options,
    labels: request.Labels ?? {},
    internal: request.Internal === true,
    attachable: request.Attachable === true,
    userSubnet: pools.some(({ Subnet }) => Subnet),
    ...(request.IPAM?.Options ? { ipamOptions: request.IPAM.Options } : {}),
  };
  checkOptions(options);
  return record;
}

/** The daemon's configuration as this network's options change it. */
export function configOf(record: NetworkRecord, config: ResolvedNetworkConfig): ResolvedNetworkConfig {
  const { options } = record;
  return {
    ...config,
    // Pools and rules of a user's network know nothing of the default bridge's flags.
    bridge: undefined,
    bip: undefined,
    icc: readBoolean(options, bridgeOptions.icc) ?? true,
    ipMasq: record.internal ? false : (readBoolean(options, bridgeOptions.masquerade) ?? true),
    mtu: Number(options[bridgeOptions.mtu]) || config.mtu,
    defaultBindAddress: options[bridgeOptions.bindAddress] || config.defaultBindAddress,
  };
}

export function bridgeNameOf({ id, options }: NetworkRecord): string {
  return options[bridgeOptions.name] || `br-${id.slice(0, 12)}`;
}

function checkKind(request: NetworkCreateRequest): void {
  const { Driver: driver = "bridge" } = request;
  if (["host", "null"].includes(driver)) throw forbidden(`only one instance of "${driver}" network is allowed`);
  if (["macvlan", "ipvlan", "overlay"].includes(driver)) {
    throw notImplemented(`networks of driver ${driver} are not built yet: use driver bridge`);
  }
  if (driver !== "" && driver !== "bridge" && driver !== "default") {
    throw notFound(`plugin "${driver}" not found`);
  }
  if (request.Scope && request.Scope !== "local") {
    throw forbidden("cannot create a swarm scoped network when swarm is not active");
  }
  if (request.Ingress) throw forbidden("Ingress network can only be global scope network");
  if (request.EnableIPv6) throw notImplemented("IPv6 in networks is not built yet");
  if (request.EnableIPv4 === false) throw notImplemented("networks without IPv4 are not built yet");
  if (request.ConfigOnly || request.ConfigFrom?.Network) throw notImplemented("config-only networks are not built yet");
  const ipam = request.IPAM?.Driver || "default";
  if (ipam !== "default") {
    throw notFound(`plugin "${ipam}" not found`);
  }
  if ((request.IPAM?.Config ?? []).filter(({ Subnet }) => !Subnet?.includes(":")).length > 1) {
    throw invalidArgument("bridge driver doesn't support multiple subnets");
  }
}

function planSubnet(pools: readonly IpamPool[], { existing, used, pools: configured }: NetworkPlanContext): IpamRecord {
  const [pool] = pools;
  const others = existing.flatMap(({ ipam }) => ipam.map(({ subnet }) => parsePrefix(subnet)));
  if (!pool?.Subnet) {
    if (pool?.Gateway || pool?.IPRange) {
      throw invalidArgument(
        `no matching subnet for ${pool.Gateway ? "gateway" : "range"} ${pool.Gateway || pool.IPRange}`,
      );
    }
    return electSubnet([...used, ...others], configured ?? userPools);
  }
  const subnet = parsePrefix(pool.Subnet);
  if (others.some((other) => prefixesOverlap(other, subnet))) {
    throw forbidden("invalid pool request: Pool overlaps with other one on this address space");
  }
  const taken = unusableAddresses(subnet);
  const gateway = pool.Gateway || electGateway(parsePrefix(pool.IPRange || pool.Subnet), taken);
  if (taken.has(gateway)) throw internal(`failed to allocate gateway (${gateway}): Address already in use`);
  taken.add(gateway);
  const auxiliary = pool.AuxiliaryAddresses ?? {};
  for (const [name, ip] of Object.entries(auxiliary)) {
    if (taken.has(ip))
      throw internal(`failed to allocate secondary ip address (${name}:${ip}): Address already in use`);
    taken.add(ip);
  }
  return {
    subnet: prefixText(subnet),
    gateway,
    ...(pool.Gateway ? {} : { gatewayElected: true }),
    ...(pool.IPRange ? { ipRange: pool.IPRange } : {}),
    ...(Object.keys(auxiliary).length > 0 ? { auxiliary } : {}),
  };
}

/** The first usable address of the range, as dockerd elects it before it looks at what else the user reserves. */
function electGateway(range: Prefix, unusable: ReadonlySet<string>): string {
  for (let address = range.base; address < range.base + prefixSize(range.length); address++) {
    if (!unusable.has(ipv4Text(address))) return ipv4Text(address);
  }
  throw internal("failed to allocate gateway (): no available addresses on this pool");
}

function poolProblems({ Subnet, IPRange, Gateway, AuxiliaryAddresses }: IpamPool): string[] {
  if (!Subnet) return [];
  if (Subnet.includes(":")) throw notImplemented("IPv6 in networks is not built yet");
  const subnet = readPrefix(Subnet);
  if (!subnet) return [`invalid subnet ${Subnet}: invalid CIDR block notation`];
  const problems: string[] = [];
  if (prefixText(subnet) !== Subnet) problems.push(`invalid subnet ${Subnet}: it should be ${prefixText(subnet)}`);
  if (IPRange) problems.push(...rangeProblems(IPRange, subnet));
  const addresses: [string, string][] = Object.values(AuxiliaryAddresses ?? {}).map((ip) => ["auxiliary address", ip]);
  if (Gateway) addresses.unshift(["gateway", Gateway]);
  for (const [what, ip] of addresses) {
    if (!isIpv4(ip)) problems.push(`invalid ${what} ${ip}: invalid address`);
    else if (!prefixContains(subnet, ipv4Number(ip))) {
      problems.push(`invalid ${what} ${ip}: parent subnet ${Subnet} doesn't contain this address`);
    }
  }
  return problems;
}

function rangeProblems(text: string, subnet: Prefix): string[] {
  const range = readPrefix(text);
  if (!range) return [`invalid ip-range ${text}: invalid CIDR block notation`];
  const problems: string[] = [];
  if (prefixText(range) !== text) problems.push(`invalid ip-range ${text}: it should be ${prefixText(range)}`);
  if (range.length < subnet.length) {
    problems.push(`invalid ip-range ${text}: CIDR block is bigger than its parent subnet ${prefixText(subnet)}`);
  }
  if (!prefixContains(subnet, range.base)) {
    problems.push(`invalid ip-range ${text}: parent subnet ${prefixText(subnet)} doesn't contain ip-range`);
  }
  return problems;
}

function checkOptions(options: Record<string, string>): void {
  for (const name of missingOptions) {
    if (options[name] !== undefined) throw notImplemented(`network option ${name} is not built yet`);
  }
  for (const name of [bridgeOptions.icc, bridgeOptions.masquerade]) readBoolean(options, name);
  const { [bridgeOptions.mtu]: mtu, [bridgeOptions.bindAddress]: bind, [bridgeOptions.name]: bridge } = options;
  if (mtu !== undefined) checkMtu(mtu);
  if (bind && !isIpv4(bind)) {
    throw invalidArgument(`failed to parse ${bridgeOptions.bindAddress} value: ${bind} (nil ip)`);
  }
  if (bridge !== undefined && !/^[^\s/:"\\]{1,15}$/.test(bridge)) {
    throw invalidArgument(
      `invalid bridge name ${JSON.stringify(bridge)}: at most 15 characters, no space, slash, colon or quote`,
    );
  }
}

function readBoolean(options: Record<string, string>, name: string): boolean | undefined {
  const text = options[name];
  if (text === undefined) return undefined;
  if (["1", "t", "T", "true", "TRUE", "True"].includes(text)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(text)) return false;
  const cause = `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`;
  throw invalidArgument(`failed to parse ${name} value: ${text} (${cause})`);
}

/** The kernel takes 68 to 65535 for a bridge; dockerd passes on what the kernel then says. */
function checkMtu(text: string): void {
  if (!/^[+-]?\d+$/.test(text)) {
    const cause = `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;
    throw invalidArgument(`failed to parse ${bridgeOptions.mtu} value: ${text} (${cause})`);
  }
  const mtu = Number(text);
  if (mtu < 0) throw invalidArgument(`invalid MTU number: ${text}`);
  if (mtu > 0 && (mtu < 68 || mtu > 65535)) throw internal("invalid argument");
}

function readPrefix(text: string): Prefix | undefined {
  const [address = "", length = "", ...rest] = text.split("/");
  if (!isIpv4(address) || !/^\d{1,2}$/.test(length) || Number(length) > 32 || rest.length > 0) return undefined;
  return parsePrefix(text);
}
