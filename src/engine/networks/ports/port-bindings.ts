/** A container's exposed and published ports, from Docker's maps to a sorted list. Pure. */
import type { ContainerConfig, HostConfig, PortMap } from "../../../api/container-config.ts";
import { invalidArgument } from "../../../base/errors.ts";
import { findFamily } from "../../../linux/inet.ts";

export type Protocol = "tcp" | "udp" | "sctp";

export interface PortKey {
  protocol: Protocol;
  containerPort: number;
}

/** One wish to publish: the host port is the first free one of a range; 0 to 0 stands for any. */
export interface PortRequest extends PortKey {
  /** Empty: the daemon's default address. */
  hostIp: string;
  firstHostPort: number;
  lastHostPort: number;
}

export interface PublishedPort extends PortKey {
  hostIp: string;
  /** 0: the container's port is open itself, by no port of the host's. */
  hostPort: number;
}

/**
 * What is exposed and what of it is to be published, in the order of container ports. As with dockerd only exposed ports are
 * published (clients name each published port in both maps). Throws `invalid-argument`.
 */
export function parsePortBindings(
  config: ContainerConfig,
  hostConfig: HostConfig,
): { exposed: PortKey[]; requests: PortRequest[] } {
  const bindings = new Map<string, PortRequest[]>();
  for (const [key, list] of Object.entries(hostConfig.PortBindings ?? {})) {
    const port = parsePortKey(key);
    bindings.set(
      portText(port),
      (list ?? []).map((binding) => ({ ...port, ...parseBinding(binding) })),
    );
  }
  const exposed = Object.keys(config.ExposedPorts ?? {})
    .map(parseExposedKey)
    .sort((a, b) => a.containerPort - b.containerPort || a.protocol.localeCompare(b.protocol));
  const requests = exposed.flatMap((port) => {
    const wanted = bindings.get(portText(port)) ?? [];
    if (wanted.length > 0 || !hostConfig.PublishAllPorts) return wanted;
    return [{ ...port, hostIp: "", firstHostPort: 0, lastHostPort: 0 }];
  });
  return { exposed, requests };
}

/** `NetworkSettings.Ports`: exposed but unpublished ports have null. */
export function toPortMap(exposed: readonly PortKey[], published: readonly PublishedPort[]): PortMap {
  const map: PortMap = Object.fromEntries(exposed.map((port) => [portText(port), null]));
  for (const port of published) {
    const entry = { HostIp: port.hostIp, HostPort: port.hostPort === 0 ? "" : String(port.hostPort) };
    map[portText(port)] = [...(map[portText(port)] ?? []), entry];
  }
  return map;
}

/** What `toPortMap` has made a map of. */
export function fromPortMap(map: PortMap): PublishedPort[] {
  return Object.entries(map).flatMap(([key, list]) =>
    (list ?? []).map(({ HostIp = "", HostPort = "" }) => ({
      ...parsePortKey(key),
      hostIp: HostIp,
      hostPort: Number(HostPort),
    })),
  );
}

export function portText({ containerPort, protocol }: PortKey): string {
  return `${containerPort}/${protocol}`;
}

/** `80/tcp`; without a protocol it is tcp. */
function parsePortKey(text: string): PortKey {
  const [port = "", protocol = "tcp"] = text.split("/");
  const containerPort = parsePort(port);
  if (protocol !== "tcp" && protocol !== "udp" && protocol !== "sctp") {
    throw invalidArgument(`invalid proto: ${protocol}`);
  }
  return { containerPort, protocol };
}

/** Docker takes an exposed range (`80-90/tcp`) for its first port. */
function parseExposedKey(text: string): PortKey {
  return parsePortKey(text.replace(/^(\d+)-\d+/, "$1"));
}

function parsePort(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535) {
    throw invalidArgument(`invalid port specification: ${JSON.stringify(text)}`);
  }
  return Number(text);
}

function parseBinding({
  HostIp = "",
  HostPort = "",
}: {
  HostIp?: string;
  HostPort?: string;
}): Omit<PortRequest, keyof PortKey> {
  if (HostIp !== "" && !findFamily(HostIp)) throw invalidArgument(`invalid IP address: ${HostIp}`);
  const [first = "", last = first] = HostPort.split("-");
  if (HostPort === "") return { hostIp: HostIp, firstHostPort: 0, lastHostPort: 0 };
  const range = [first, last].map((text) => (/^\d{1,5}$/.test(text) ? Number(text) : Number.NaN));
  const [firstHostPort = 0, lastHostPort = 0] = range;
  if (!(firstHostPort <= lastHostPort && lastHostPort <= 65535)) {
    throw invalidArgument(`invalid port specification: ${JSON.stringify(HostPort)}`);
  }
  return { hostIp: HostIp, firstHostPort, lastHostPort };
}
