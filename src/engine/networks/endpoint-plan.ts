/** Which networks a container is to be connected to, and by which of them it reaches the world. Pure but for the lookup given. */
import type { EndpointSettings, NetworkingConfig } from "../../api/networks.ts";
import { shortId } from "../../base/ids.ts";
import { networkMode, networkNameOf, type SandboxRequest } from "./network-mode.ts";

export const predefinedNames: readonly string[] = ["bridge", "host", "none"];

/** A network's own name, for a name, id or what cannot be found (yet). */
export type NameLookup = (reference: string) => string;

/**
 * The user's settings per network, by the networks' own names: those given at create and the network mode's own. This is what later
 * connects and disconnects change. Undefined for a container that joins another's network.
 */
export function settledNetworking(request: SandboxRequest, nameOf: NameLookup): NetworkingConfig | undefined {
  const name = networkNameOf(networkMode(request.config, request.hostConfig));
  if (name === undefined) return undefined;
  const primary = nameOf(name);
  const given = Object.entries(request.networking?.EndpointsConfig ?? {});
  const settled: Record<string, EndpointSettings> = { [primary]: {} };
  for (const [key, settings] of given) {
    const own = key === "default" ? "bridge" : nameOf(key);
    settled[own] = { ...settled[own], ...settings };
  }
  return { EndpointsConfig: settled };
}

/** Networks by name, the mode's own first. Without any (all were disconnected) it is the mode's own, as with dockerd. */
export function wantedNetworks(request: SandboxRequest): { name: string; settings: EndpointSettings }[] {
  const mode = networkMode(request.config, request.hostConfig);
  const primary = networkNameOf(mode);
  if (primary === undefined) return [];
  const given = Object.entries(request.networking?.EndpointsConfig ?? {}).map(([key, settings]) => ({
    name: key === "default" ? "bridge" : key,
    settings: settings ?? {},
  }));
  const own = given.find(({ name }) => name === primary) ?? { name: primary, settings: {} };
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

/** The network with the default route: the first by precedence that is not internal. */
export function gatewayOf<T extends Precedence>(endpoints: readonly T[]): T | undefined {
  return endpoints.filter(({ internal }) => !internal).toSorted(comparePrecedence)[0];
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
