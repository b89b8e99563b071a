/** Which networks a container is to be connected to, and by which of them it reaches the world. Pure but for the lookup given. */
import type { EndpointSettings, NetworkingConfig } from "../../../api/networks.ts";
import { shortId } from "../../../base/ids.ts";
import type { Family } from "../../../linux/inet.ts";
import { networkMode, networkNameOf, type SandboxRequest } from "../settings/network-mode.ts";

export const predefinedNames: readonly string[] = ["bridge", "host", "none"];

/** A network's own name, for a name, id or what cannot be found (yet). */
export type NameLookup = (reference: string) => string;

/**
 * The user's settings per network, by the networks' own names: those given at create, or else the network mode's own. This is what later
 * connects and disconnects change. Undefined for a container that joins another's network.
 */
export function settledNetworking(request: SandboxRequest, nameOf: NameLookup): NetworkingConfig | undefined {
  const mode = networkMode(request.config, request.hostConfig);
  const name = networkNameOf(mode);
  if (name === undefined) return undefined;
  const given = Object.entries(request.networking?.EndpointsConfig ?? {});
  const alone = given.length === 0 || mode.kind === "host" || mode.kind === "none";
  const settled: Record<string, EndpointSettings> = alone ? { [nameOf(name)]: {} } : {};
  for (const [key, settings] of given) {
    const own = key === "default" ? "bridge" : nameOf(key);
    settled[own] = { ...settled[own], ...settings };
  }
  return { EndpointsConfig: settled };
}

/** Networks by name, the mode's own first; none where all were disconnected. */
export function wantedNetworks(request: SandboxRequest): { name: string; settings: EndpointSettings }[] {
  const mode = networkMode(request.config, request.hostConfig);
  const primary = networkNameOf(mode);
  if (primary === undefined) return [];
  const given = Object.entries(request.networking?.EndpointsConfig ?? {}).map(([key, settings]) => ({
    name: key === "default" ? "bridge" : key,
    settings: settings ?? {},
  }));
  const own = given.find(({ name }) => name === primary) ?? { name: primary, settings: {} };
  // All were disconnected: there is none until one is connected again.
  if (request.networking?.EndpointsConfig && given.length === 0) return [];
  if (mode.kind === "host" || mode.kind === "none" || given.length === 0) return [own];
  return [...given.filter(({ name }) => name === primary), ...given.filter(({ name }) => name !== primary)];
}

/** What decides which of a container's networks comes first. */
export interface Precedence {
  /** The network's. */
  name: string;
  priority: number;
  internal: boolean;
}

/** The order of dockerd's endpoints, for default routes and names: the highest priority, internal networks last, then by name. */
export function comparePrecedence(a: Precedence, b: Precedence): number {
  return b.priority - a.priority || Number(a.internal) - Number(b.internal) || (a.name < b.name ? -1 : 1);
}

/**
 * The networks with the default routes, by version: the first by precedence that has both, as with dockerd, else the first that has
 * the one.
 */
export function gatewaysOf<T extends Precedence & { families: readonly Family[] }>(
  endpoints: readonly T[],
): Partial<Record<Family, T>> {
  const sorted = endpoints.filter((entry) => entry.families.length > 0).toSorted(comparePrecedence);
  const first = (family: Family) => sorted.find((entry) => entry.families.includes(family));
  const both = sorted.find((entry) => entry.families.length === 2);
  // dockerd stops at the first network with both, and forgets what it saw before.
  const [four, six] = both ? [both, both] : [first(4), first(6)];
  return { ...(four ? { 4: four } : {}), ...(six ? { 6: six } : {}) };
}

/** The names that a container answers to on a user's network: its name, aliases, short id and host name. */
export function dnsNamesOf(request: SandboxRequest, settings: EndpointSettings): string[] {
  const names = [
    request.name,
    ...(settings.Aliases ?? []),
    shortId(request.containerId),
    request.config.Hostname ?? "",
  ];
  return [...new Set(names.filter((name) => name !== ""))];
}
