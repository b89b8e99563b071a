/** What a container asks of the network, checked and in one shape. Messages are dockerd's. Pure. */
import type { ContainerConfig, HostConfig } from "../../../api/container-config.ts";
import type { EndpointSettings, NetworkingConfig } from "../../../api/networks.ts";
import { invalidArgument } from "../../../base/errors.ts";
import { type Family, findFamily, macBytes } from "../../../linux/inet.ts";
import { parsePortBindings } from "../ports/port-bindings.ts";

/** What the engine asks for one container, at create and at start. */
export interface SandboxRequest {
  containerId: string;
  /** Without the leading slash. */
  name: string;
  config: ContainerConfig;
  hostConfig: HostConfig;
  networking: NetworkingConfig | undefined;
}

/** The versions that a container speaks: it may switch version 6 off for itself. */
export function spokenFamilies({ Sysctls }: HostConfig): readonly Family[] {
  return Sysctls?.["net.ipv6.conf.all.disable_ipv6"] === "1" ? [4] : [4, 6];
}

export type NetworkMode =
  | { kind: "bridge" }
  | { kind: "host" }
  | { kind: "none" }
  | { kind: "container"; container: string }
  | { kind: "network"; name: string };

/** The mode that `NetworkMode` names; `default`, empty and `bridge` are the default bridge. Throws `invalid-argument`. */
export function networkMode(config: ContainerConfig, hostConfig: HostConfig): NetworkMode {
  const mode = hostConfig.NetworkMode ?? "";
  if (mode === "container" || mode.startsWith("container:")) {
    const container = mode.slice("container:".length);
    if (container === "") {
      throw invalidArgument("invalid network mode: invalid container format container:<name|id>");
    }
    return { kind: "container", container };
  }
  if (config.NetworkDisabled) return { kind: "none" };
  if (mode === "host" || mode === "none") return { kind: mode };
  if (mode === "" || mode === "default" || mode === "bridge") return { kind: "bridge" };
  return { kind: "network", name: mode };
}

/** The name that the mode's network has in `NetworkSettings.Networks`; undefined in container mode. */
export function networkNameOf(mode: NetworkMode): string | undefined {
  if (mode.kind === "container") return undefined;
  return mode.kind === "network" ? mode.name : mode.kind;
}

/** The user's settings for the mode's own network; the default bridge may be called `default` in them. */
function endpointSettingsOf(request: SandboxRequest, name: string): EndpointSettings {
  const settings = request.networking?.EndpointsConfig ?? {};
  return settings[name] ?? (name === "bridge" ? settings["default"] : undefined) ?? {};
}

/** Checks ports, names of hosts and the MAC address as dockerd does, which options go together is checked before. Throws `invalid-argument`. */
export function validateNetworking(request: SandboxRequest): void {
  const { config, hostConfig } = request;
  for (const entry of hostConfig.ExtraHosts ?? []) checkExtraHost(entry);
  parsePortBindings(config, hostConfig);
  const first = networkNameOf(networkMode(config, hostConfig));
  const others = Object.entries(request.networking?.EndpointsConfig ?? {});
  if (first !== undefined) checkMac(first, endpointSettingsOf(request, first).MacAddress || config.MacAddress);
  for (const [name, settings] of others) checkMac(name, settings?.MacAddress);
}

/** `name:address` or `name=address`; the address may be `host-gateway`. */
export function parseExtraHost(entry: string): { name: string; address: string } {
  const match = /^([^:=]+)[:=](.*)$/.exec(entry);
  if (!match?.[1] || !match[2]) throw invalidArgument(`bad format for add-host: ${JSON.stringify(entry)}`);
  return { name: match[1], address: match[2].replace(/^\[(.*)\]$/, "$1") };
}

function checkExtraHost(entry: string): void {
  const { address } = parseExtraHost(entry);
  if (address === "host-gateway" || findFamily(address)) return;
  throw invalidArgument(`invalid IP address in add-host: ${JSON.stringify(address)}`);
}

function checkMac(name: string, mac: string | undefined): void {
  if (!mac) return;
  try {
    macBytes(mac);
  } catch (cause) {
    throw invalidArgument(`invalid config for network ${name}: invalid MAC address ${mac}`, { cause });
  }
}
