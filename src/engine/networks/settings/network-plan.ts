/** `docker network create`: the request, checked with dockerd's messages, becomes a network's record. Pure. */

import type { NetworkCreateRequest } from "../../../api/networks.ts";
import { conflict, forbidden, invalidArgument, notFound } from "../../../base/errors.ts";
import { type Family, type Prefix, parsePrefix } from "../../../linux/inet.ts";
import { checkPools, countPools, planPools } from "../addresses/ipam-plan.ts";
import { activePools, families, speaks } from "../addresses/network-pools.ts";
import { type AddressPool, chosenPools, userPools } from "../addresses/subnets.ts";
import { checkParent } from "../drivers/parent-options.ts";
import type { NetworkDriver, NetworkRecord } from "../network-store.ts";
import { announcementsOf } from "./announcements.ts";
import { bridgeNameOf, bridgeOptions, bridgeSettings, readBoolean } from "./network-options.ts";

export interface NetworkPlanContext {
  id: string;
  /** RFC 3339. */
  created: string;
  /** All networks there are. */
  existing: readonly NetworkRecord[];
  /** Ranges of the host that an elected subnet must avoid. */
  used: readonly Prefix[];
  /** The daemon's own pools. */
  pools: readonly AddressPool[] | undefined;
  /** Where subnets of version 6 are from unless `pools` has some. */
  localPools: readonly AddressPool[];
  /** By driver: options that a network has unless its request says otherwise. */
  defaultOptions: Record<string, Record<string, string>> | undefined;
  /** What the driver finds on the host. */
  mtu: number;
}

/** Throws `invalid-argument`, `conflict`, `forbidden`, `not-found` or `not-implemented`. */
export function planNetwork(request: NetworkCreateRequest, context: NetworkPlanContext): NetworkRecord {
  checkPools(request.IPAM?.Config ?? []);
  const driver = driverOf(request);
  if (context.existing.some(({ name }) => name === request.Name)) {
    throw conflict(`network with name ${request.Name} already exists`);
  }
  if (request.ConfigOnly) return planConfiguration(request, context);
  const source = request.ConfigFrom?.Network;
  const planned = source
    ? { ...draft(configured(request, findConfiguration(source, context)), driver, context), configFrom: source }
    : draft(request, driver, context);
  checkOptions(planned, context);
  return planned;
}

/** A configuration is kept as it was given; only what is made from it gets addresses. */
function planConfiguration(request: NetworkCreateRequest, context: NetworkPlanContext): NetworkRecord {
  if (request.ConfigFrom?.Network) {
    throw forbidden("a configuration network cannot depend on another configuration network");
  }
  if (request.Internal || request.Attachable || request.Ingress || request.Scope) {
    throw forbidden(
      "configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported.",
    );
  }
  const ipam = (request.IPAM?.Config ?? []).map((pool) => ({
    subnet: pool.Subnet ?? "",
    gateway: pool.Gateway ?? "",
    ...(pool.IPRange ? { ipRange: pool.IPRange } : {}),
    ...(pool.AuxiliaryAddresses ? { auxiliary: pool.AuxiliaryAddresses } : {}),
  }));
  return { ...common(request, "null", context), ipam, configOnly: true };
}

function findConfiguration(name: string, { existing }: NetworkPlanContext): NetworkRecord {
  const found = existing.find((network) => network.name === name && network.configOnly);
  if (!found) throw notFound(`configuration network ${JSON.stringify(name)} does not exist`);
  return found;
}

/** The request as if it had said itself what the configuration says. */
function configured(request: NetworkCreateRequest, source: NetworkRecord): NetworkCreateRequest {
  const ownPools = (request.IPAM?.Config ?? []).some(({ Subnet }) => Subnet);
  if (ownPools || request.EnableIPv6 || Object.keys(request.Labels ?? {}).length > 0) {
    throw forbidden(
      "user specified configurations are not supported if the network depends on a configuration network",
    );
  }
  if (Object.keys(request.Options ?? {}).length > 0) {
    throw forbidden("network driver options are not supported if the network depends on a configuration network");
  }
  const Config = source.ipam.map(({ subnet, gateway, ipRange, auxiliary }) => ({
    Subnet: subnet,
    Gateway: gateway,
    ...(ipRange ? { IPRange: ipRange } : {}),
    ...(auxiliary ? { AuxiliaryAddresses: auxiliary } : {}),
  }));
  return {
    ...request,
    EnableIPv4: speaks(source, 4),
    EnableIPv6: speaks(source, 6),
    Options: source.options,
    Labels: source.labels,
    IPAM: { ...request.IPAM, Options: source.ipamOptions ?? null, Config },
  };
}

function draft(request: NetworkCreateRequest, driver: NetworkDriver, context: NetworkPlanContext): NetworkRecord {
  const pools = request.IPAM?.Config ?? [];
  const record: NetworkRecord = {
    ...common(request, driver, context),
    internal: request.Internal === true,
    attachable: request.Attachable === true,
    userSubnet: pools.some(({ Subnet }) => Subnet),
  };
  const wanted = families.filter((family) => speaks(record, family));
  const counts = countPools(pools);
  if (driver === "bridge" && wanted.some((family) => counts[family] > 1)) {
    throw invalidArgument("bridge driver doesn't support multiple subnets");
  }
  const { used, existing, mtu } = context;
  const settings = driver === "bridge" ? bridgeSettings(record, { mtu, defaultBindAddress: "" }) : undefined;
  const isIsolated = (family: Family) => {
    if (!settings) return record.internal === true;
    return settings.modes[family] === "isolated" || (family === 4 && settings.inhibitIpv4 && record.internal === true);
  };
  const ipam = planPools(pools, {
    wanted,
    withoutGateway: wanted.filter(isIsolated),
    others: existing
      .filter(({ configOnly }) => !configOnly)
      .flatMap(activePools)
      .map(({ subnet }) => parsePrefix(subnet)),
    used,
    pools: {
      4: chosenPools(4, context.pools, userPools),
      6: chosenPools(6, context.pools, context.localPools),
    },
  });
  return { ...record, ipam };
}

function common(request: NetworkCreateRequest, driver: NetworkDriver, context: NetworkPlanContext): NetworkRecord {
  const options = { ...context.defaultOptions?.[driver], ...request.Options };
  const ipv4 = request.EnableIPv4 ?? readBoolean(options, bridgeOptions.enableIpv4) ?? true;
  const ipv6 = request.EnableIPv6 || readBoolean(options, bridgeOptions.enableIpv6) || false;
  // What the request says in a better place is not told twice: the daemon's default may say otherwise.
  if (request.EnableIPv4 !== undefined) delete options[bridgeOptions.enableIpv4];
  if (request.EnableIPv6) delete options[bridgeOptions.enableIpv6];
  if (!ipv4 && !ipv6) throw invalidArgument("IPv4 or IPv6 must be enabled");
  announcementsOf(options); // Throws if they make no sense.
  return {
    id: context.id,
    name: request.Name,
    driver,
    created: context.created,
    ipam: [],
    options,
    labels: request.Labels ?? {},
    ...(ipv4 ? {} : { ipv4 }),
    ...(ipv6 ? { ipv6 } : {}),
    ...(request.IPAM?.Options ? { ipamOptions: request.IPAM.Options } : {}),
  };
}

/** What a driver says of its own options, and of networks that are there already. */
function checkOptions(record: NetworkRecord, { existing }: NetworkPlanContext): void {
  if (record.driver === "macvlan" || record.driver === "ipvlan") checkParent(record, existing);
  if (record.driver !== "bridge") return;
  const name = bridgeNameOf(record);
  const twin = existing.find((other) => other.driver === "bridge" && bridgeNameOf(other) === name);
  if (!twin) return;
  throw forbidden(
    `cannot create network ${record.id} (${name}): conflicts with network ${twin.id} (${name}): networks have same bridge name`,
  );
}

function driverOf(request: NetworkCreateRequest): NetworkDriver {
  const driver = request.Driver || "bridge";
  if (driver === "overlay" || request.Ingress) {
    if (driver !== "overlay") throw forbidden("Ingress network can only be global scope network");
    throw forbidden(
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    );
  }
  if (request.Scope === "swarm") throw forbidden("cannot create a swarm scoped network when swarm is not active");
  if (request.Scope && request.Scope !== "local") {
    throw invalidArgument(`invalid network scope ${JSON.stringify(request.Scope)}: it must be "local" or "swarm"`);
  }
  if (driver === "host" || driver === "null") {
    throw forbidden(`only one instance of "${driver}" network is allowed`);
  }
  const ipam = request.IPAM?.Driver || "default";
  if (ipam !== "default") throw notFound(`plugin "${ipam}" not found`);
  if (driver === "macvlan" || driver === "ipvlan") return driver;
  if (driver === "bridge" || driver === "default") return "bridge";
  throw notFound(`plugin "${driver}" not found`);
}
