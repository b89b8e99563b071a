/** Legacy links (`--link db:database`): a name in /etc/hosts and the variables that Docker sets for it. */
import { invalidArgument } from "../../../base/errors.ts";
import type { Container } from "../container.ts";

export interface ResolvedLink {
  names: string[];
  ip: string;
  /** Of version 6; empty: none. */
  ip6: string;
  alias: string;
  /** `6379/tcp` … of the linked container. */
  ports: string[];
  env: string[];
}

/** `name:alias`, or `name` alone. */
export function parseLink(link: string): { name: string; alias: string } {
  const [name = "", alias = name, ...rest] = link.split(":");
  if (name === "" || alias === "" || rest.length > 0) throw invalidArgument(`invalid format to parse: ${link}`);
  return { name: name.replace(/^\//, ""), alias: alias.split("/").pop() as string };
}

/** Throws `invalid-argument` when a linked container is missing or not running. */
export function resolveLinks(links: string[], find: (name: string) => Container | undefined): ResolvedLink[] {
  return links.map((link) => {
    const { name, alias } = parseLink(link);
    const target = find(name);
    if (!target) throw invalidArgument(`could not get container for ${name}`);
    if (!target.isRunning)
      throw invalidArgument(`Cannot link to a non running container: /${target.record.name} AS ${link}`);
    const { record } = target;
    const { IPAddress: ip = "", GlobalIPv6Address: ip6 = "" } = Object.values(record.networkSettings.Networks)[0] ?? {};
    const names = [...new Set([alias, record.config.Hostname ?? record.id.slice(0, 12), record.name])];
    return {
      names,
      ip,
      ip6,
      alias,
      ports: Object.keys(record.config.ExposedPorts ?? {}),
      env: record.config.Env ?? [],
    };
  });
}

/** The variables of `--link`, e.g. `DB_PORT_6379_TCP_ADDR=172.17.0.2`. */
export function linkEnvironment(containerName: string, links: ResolvedLink[]): string[] {
  return links.flatMap(({ alias, ip, ports, env }) => {
    const prefix = alias.replaceAll("-", "_").toUpperCase();
    const sorted = [...ports].sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
    const first = sorted[0]?.split("/");
    return [
      ...(first ? [`${prefix}_PORT=${first[1] ?? "tcp"}://${ip}:${first[0]}`] : []),
      ...sorted.flatMap((port) => portVariables(prefix, ip, port)),
      `${prefix}_NAME=/${containerName}/${alias}`,
      ...env.filter((entry) => !/^(PATH|HOME)=/.test(entry)).map((entry) => `${prefix}_ENV_${entry}`),
    ];
  });
}

function portVariables(prefix: string, ip: string, port: string): string[] {
  const [number, protocol = "tcp"] = port.split("/");
  const name = `${prefix}_PORT_${number}_${protocol.toUpperCase()}`;
  return [
    `${name}=${protocol}://${ip}:${number}`,
    `${name}_ADDR=${ip}`,
    `${name}_PORT=${number}`,
    `${name}_PROTO=${protocol}`,
  ];
}
