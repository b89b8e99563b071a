/** `NetworkSettings` as `docker inspect` shows it, from an endpoint or from a container that has none. Pure. */
import type { PortMap } from "../../../api/container-config.ts";
import type { NetworkSettings } from "../../../api/containers.ts";
import { type EndpointSettings, emptyEndpoint } from "../../../api/networks.ts";
import type { EndpointRecord } from "../network-store.ts";

/** No network at all: a container that joined another's, or has not been started. */
export function emptySettings(networks: Record<string, EndpointSettings> = {}): NetworkSettings {
  return {
    Bridge: "",
    SandboxID: "",
    SandboxKey: "",
    Ports: {},
    HairpinMode: false,
    LinkLocalIPv6Address: "",
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: "",
    Gateway: "",
    GlobalIPv6Address: "",
    GlobalIPv6PrefixLen: 0,
    IPAddress: "",
    IPPrefixLen: 0,
    IPv6Gateway: "",
    MacAddress: "",
    Networks: networks,
  };
}

/** An entry of `Networks` without addresses: `networkId` is empty until the first start. */
export function idleEndpoint(user: EndpointSettings, networkId: string): EndpointSettings {
  return {
    ...emptyEndpoint,
    IPAMConfig: user.IPAMConfig ?? null,
    Links: user.Links ?? null,
    Aliases: user.Aliases ?? null,
    MacAddress: user.MacAddress ?? "",
    DriverOpts: user.DriverOpts ?? null,
    GwPriority: user.GwPriority ?? 0,
    NetworkID: networkId,
  };
}

/** All of a container's endpoints (at least one), in the order in which they were connected. */
export function runningSettings(endpoints: readonly EndpointRecord[]): NetworkSettings {
  const networks = endpoints.map((endpoint) => [endpoint.networkName, runningEndpoint(endpoint)]);
  const [first] = endpoints;
  const settings = {
    ...emptySettings(Object.fromEntries(networks)),
    SandboxID: first?.sandboxId ?? "",
    SandboxKey: first?.sandboxKey ?? "",
    Ports: joinPorts(endpoints),
  };
  // The old top-level fields speak of the default bridge only.
  const endpoint = endpoints.find(({ networkName }) => networkName === "bridge");
  if (!endpoint) return settings;
  return { ...settings, ...placeOf(endpoint) };
}

/** Versions 4 and 6 may lead to different endpoints. */
function joinPorts(endpoints: readonly EndpointRecord[]): PortMap {
  const joined: PortMap = {};
  for (const [key, list] of endpoints.flatMap(({ ports }) => Object.entries(ports))) {
    const both = [...(joined[key] ?? []), ...(list ?? [])];
    joined[key] = both.length > 0 ? both : null;
  }
  return joined;
}

function runningEndpoint(endpoint: EndpointRecord): EndpointSettings {
  return {
    ...emptyEndpoint,
    NetworkID: endpoint.networkId,
    IPAMConfig: endpoint.ipamConfig,
    Links: endpoint.links,
    Aliases: endpoint.aliases,
    DriverOpts: endpoint.driverOpts,
    ...placeOf(endpoint),
    GwPriority: endpoint.gwPriority ?? 0,
    DNSNames: endpoint.dnsNames ?? null,
  };
}

/** Where an endpoint is: the fields that a container's settings share with those of its networks. */
function placeOf(endpoint: EndpointRecord) {
  return {
    EndpointID: endpoint.endpointId,
    Gateway: endpoint.gateway,
    IPAddress: endpoint.ip,
    IPPrefixLen: endpoint.prefix,
    GlobalIPv6Address: endpoint.ip6 ?? "",
    GlobalIPv6PrefixLen: endpoint.prefix6 ?? 0,
    IPv6Gateway: endpoint.gateway6 ?? "",
    MacAddress: endpoint.mac,
  };
}
