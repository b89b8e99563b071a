/** Ports as `ps` shows them: neighbours of one address joined to ranges, `0.0.0.0:8080->80/tcp`. */
import type { Port } from "../../../api/containers.ts";

interface PortGroup {
  readonly ip: string;
  readonly type: string;
  first: number;
  last: number;
}

/** The PORTS column, in the order of the docker CLI: ranges first, then the mappings to other numbers. */
export function displayPorts(ports: readonly Port[]): string {
  const groups = new Map<string, PortGroup>();
  const shown: string[] = [];
  const mappings: string[] = [];
  for (const port of [...ports].sort(comparePorts)) {
    const { IP: ip = "", PrivatePort: number, Type: type } = port;
    if (ip !== "" && port.PublicPort !== number) {
      mappings.push(`${joinHostPort(ip, String(port.PublicPort ?? 0))}->${number}/${type}`);
      continue;
    }
    const key = ip === "" ? type : `${ip}/${type}`;
    const group = groups.get(key);
    if (group && number === group.last + 1) {
      group.last = number;
      continue;
    }
    if (group) shown.push(showGroup(group));
    groups.set(key, { ip, type, first: number, last: number });
  }
  return [...shown, ...[...groups.values()].map(showGroup), ...mappings].join(", ");
}

function comparePorts(a: Port, b: Port): number {
  const text = (left: string, right: string) => (left < right ? -1 : left > right ? 1 : 0);
  return (
    a.PrivatePort - b.PrivatePort ||
    text(a.IP ?? "", b.IP ?? "") ||
    (a.PublicPort ?? 0) - (b.PublicPort ?? 0) ||
    text(a.Type, b.Type)
  );
}

function showGroup({ ip, type, first, last }: PortGroup): string {
  const range = first === last ? String(first) : `${first}-${last}`;
  return ip === "" ? `${range}/${type}` : `${joinHostPort(ip, range)}->${range}/${type}`;
}

function joinHostPort(host: string, port: string): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
