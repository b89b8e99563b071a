/** What publishing a container's ports means for an endpoint: on which addresses of the host, and for which of the container's. Pure. */
import { unavailable } from "../../../base/errors.ts";
import { type Family, familyOf } from "../../../linux/inet.ts";
import { addressesOf } from "../addresses/network-pools.ts";
import type { EndpointRecord } from "../network-store.ts";
import type { GatewayMode } from "../settings/network-options.ts";
import { fromPortMap, type PortKey, type PortRequest, type PublishedPort, portText } from "./port-bindings.ts";
import { anyAddresses, type PortTarget } from "./ruleset.ts";

/** One wish to publish, on all of these host addresses by the same port. */
export interface PortGroup extends PortKey {
  hostIps: string[];
  /** From the one to the other; 0 to 0 stands for any. */
  firstHostPort: number;
  lastHostPort: number;
}

export interface PublicationPlan {
  /** To be given host ports. */
  groups: PortGroup[];
  /** The groups, and the ports that are reached by the container's own address, in the order in which inspect shows them. */
  entries: (PortGroup | PublishedPort)[];
}

export interface PublicationPlace {
  /** The versions for which ports lead to this endpoint. */
  families: readonly Family[];
  modes: Partial<Record<Family, GatewayMode>>;
  bindAddress: string;
  /** False: ::1 cannot be published on. */
  loopback6: boolean;
}

const noLoopback6 =
  "cannot publish on ::1: bridged frames pass the packet filter of this host (net.bridge.bridge-nf-call-ip6tables is 1)";

/** Throws `unavailable`. Addresses of a version that the endpoint does not have are passed over, as dockerd without its proxy does. */
export function planPublication(requests: readonly PortRequest[], place: PublicationPlace): PublicationPlan {
  const { families, modes, bindAddress, loopback6 } = place;
  const plan: PublicationPlan = { groups: [], entries: [] };
  for (const { hostIp, ...request } of requests) {
    const hostIps = (hostIp ? [hostIp] : standardAddresses(bindAddress)).filter((ip) =>
      families.includes(familyOf(ip)),
    );
    if (!loopback6 && hostIps.includes("::1")) throw unavailable(noLoopback6);
    const isRouted = (ip: string) => ip !== "" && modes[familyOf(ip)] === "routed";
    const translated = hostIps.filter((ip) => !isRouted(ip));
    const group = translated.length > 0 ? [{ ...request, hostIps: translated }] : [];
    const { protocol, containerPort } = request;
    const open = hostIps
      .filter(isRouted)
      .map((ip) => ({ protocol, containerPort, hostIp: anyAddresses[familyOf(ip)], hostPort: 0 }));
    plan.groups.push(...group);
    plan.entries.push(...(isRouted(hostIps[0] ?? "") ? [...open, ...group] : [...group, ...open]));
  }
  return plan;
}

/** Every address of the host, unless the network names one. */
function standardAddresses(bindAddress: string): string[] {
  return bindAddress === "" || bindAddress === anyAddresses[4] ? [anyAddresses[4], anyAddresses[6]] : [bindAddress];
}

/** What is published of an endpoint now. */
export function targetsOf(endpoint: EndpointRecord): PortTarget[] {
  if (!endpoint.publishes || endpoint.publishes.length === 0) return [];
  const addresses = new Map(addressesOf(endpoint).map(({ family, ip }) => [family, ip]));
  return fromPortMap(endpoint.ports).flatMap((port) => {
    const ip = addresses.get(familyOf(port.hostIp));
    return ip === undefined ? [] : [{ ...port, ip }];
  });
}

/** Which wishes are fulfilled by ports that the container has already, each port by one wish at most. */
export function matchPorts(
  groups: readonly PortGroup[],
  ports: readonly PublishedPort[],
): Map<PortGroup, PublishedPort[]> {
  const rest = new Set(ports);
  const claimed = new Set(groups.filter((group) => breadth(group) === 0).map(claimOf));
  const found = new Map<PortGroup, PublishedPort[]>();
  // Those that want one certain port come first, and the others leave it to them.
  for (const group of groups.toSorted((a, b) => breadth(a) - breadth(b))) {
    const free = [...rest].filter((port) => breadth(group) === 0 || !claimed.has(claimOf(port)));
    const own = fulfilling(group, free);
    if (!own) continue;
    found.set(group, own);
    for (const port of own) rest.delete(port);
  }
  return found;
}

function claimOf(port: { protocol: string; hostPort: number } | PortGroup): string {
  return `${port.protocol}/${"hostPort" in port ? port.hostPort : port.firstHostPort}`;
}

function breadth({ firstHostPort, lastHostPort }: PortGroup): number {
  return firstHostPort === 0 ? Number.POSITIVE_INFINITY : lastHostPort - firstHostPort;
}

function fulfilling(group: PortGroup, ports: readonly PublishedPort[]): PublishedPort[] | undefined {
  const { hostIps, firstHostPort, lastHostPort } = group;
  const candidates = ports.filter((port) => portText(port) === portText(group));
  for (const { hostPort } of candidates) {
    if (firstHostPort !== 0 && (hostPort < firstHostPort || hostPort > lastHostPort)) continue;
    const own = candidates.filter((port) => port.hostPort === hostPort && hostIps.includes(port.hostIp));
    if (own.length === hostIps.length) return own;
  }
  return undefined;
}

/** Whether both are the same port of the host. */
export function isSamePort(a: PublishedPort, b: PublishedPort): boolean {
  return a.protocol === b.protocol && a.hostPort === b.hostPort && a.hostIp === b.hostIp;
}
