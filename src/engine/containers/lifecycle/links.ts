/** Legacy links (`--link db:database`): a name in /etc/hosts and the variables that Docker sets for it. */
import { invalidArgument } from "../../../base/errors.ts";
import type { Container } from "../container.ts";
import type { ContainerRecord } from "../container-record.ts";

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

/**
 * Links as a container keeps them, `ID:alias`: they outlive a new name on either side. Throws `invalid-argument` when a linked
 * container is missing.
 */
export function settleLinks(links: string[], find: (name: string) => Container | undefined): string[] {
  return links.map((link) => {
    const { name, alias } = parseLink(link);
    const target = find(name);
    if (!target) throw invalidArgument(`could not get container for ${name}: No such container: ${name}`);
    return `${addressee(target, find).id}:${alias}`;
  });
}

/** Who has the address: a container may be in another one's network. */
function addressee(target: Container, find: (name: string) => Container | undefined): Container {
  const mode = target.record.hostConfig.NetworkMode ?? "";
  if (mode === "host") {
    throw invalidArgument(
      "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
    );
  }
  const owner = mode.startsWith("container:") ? find(mode.slice("container:".length)) : undefined;
  return owner ? addressee(owner, find) : target;
}

/** The text of /etc/hosts with a name's address of the same version replaced; what was written by others stays. */
export function moveHost(hosts: string, name: string, ip: string): string {
  const move = (line: string) => {
    const [address = "", ...names] = line.split(/\s+/);
    return names.includes(name) && address.includes(":") === ip.includes(":") ? line.replace(address, () => ip) : line;
  };
  return hosts.split("\n").map(move).join("\n");
}

/** What a container calls those it is linked to: the full name of the link, `/web/db`, of each that is still there. */
export function linkNames(
  { name, hostConfig }: ContainerRecord,
  find: (name: string) => Container | undefined,
): { linkName: string; target: Container }[] {
  return (hostConfig.Links ?? []).flatMap((link) => {
    const { name: id, alias } = parseLink(link);
    const target = find(id);
    return target ? [{ linkName: `/${name}/${alias}`, target }] : [];
  });
}

/** Throws `invalid-argument` when a linked container does not run. One that has been removed is no longer linked. */
export function resolveLinks(parent: ContainerRecord, find: (name: string) => Container | undefined): ResolvedLink[] {
  return linkNames(parent, find).map(({ linkName, target }) => {
    const { record } = target;
    if (!target.isRunning)
      throw invalidArgument(`Cannot link to a non running container: /${record.name} AS ${linkName}`);
    const alias = linkName.slice(linkName.lastIndexOf("/") + 1);
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
