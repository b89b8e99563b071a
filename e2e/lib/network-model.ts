/** What a daemon's networks should be, and what they are: in its API, its database, the kernel and the file system. */
import { Database } from "bun:sqlite";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { mounts } from "./leaks.ts";
import type { Target } from "./target.ts";

export interface ModelNetwork {
  id: string;
  ipv6: boolean;
}

export interface ModelContainer {
  id: string;
  networks: Set<string>;
  /** `8080:80` */
  ports: Set<string>;
}

export class NetworkModel {
  readonly networks = new Map<string, ModelNetwork>();
  readonly containers = new Map<string, ModelContainer>();

  /** One line for each thing that is there, in a fixed order. */
  lines(): string[] {
    const networks = [...this.networks].map(([name, { id }]) => `network ${name} ${id.slice(0, 12)}`);
    const containers = [...this.containers].flatMap(([name, { networks: own, ports }]) => [
      `container ${name}`,
      ...[...own].map((network) => `endpoint ${name} ${network}`),
      ...(own.size > 0 ? [...ports].map((port) => `port ${name} ${port}`) : []),
    ]);
    return [...networks, ...containers].sort();
  }
}

interface ApiContainer {
  Id: string;
  Names: string[];
  Ports: { PrivatePort: number; PublicPort?: number }[];
  NetworkSettings: { Networks: Record<string, object> };
}

const predefined = ["bridge", "host", "none"];

/** The same lines, as the API has them. */
export async function apiLines(target: Target): Promise<string[]> {
  const read = async <T>(path: string) => (await (await target.api(path)).json()) as T;
  const networks = await read<{ Name: string; Id: string }[]>("/v1.51/networks");
  const containers = await read<ApiContainer[]>("/v1.51/containers/json");
  const lines = networks
    .filter(({ Name }) => !predefined.includes(Name))
    .map(({ Name, Id }) => `network ${Name} ${Id.slice(0, 12)}`);
  for (const { Names, Ports, NetworkSettings } of containers) {
    const name = Names[0]?.slice(1);
    lines.push(`container ${name}`);
    lines.push(...Object.keys(NetworkSettings.Networks).map((network) => `endpoint ${name} ${network}`));
    const published = Ports.filter(({ PublicPort }) => PublicPort !== undefined);
    const texts = published.map(({ PublicPort, PrivatePort }) => `port ${name} ${PublicPort}:${PrivatePort}`);
    lines.push(...new Set(texts));
  }
  return lines.sort();
}

/** Where database, kernel and file system disagree with each other; `bare` containers run without a network. Empty: nowhere. */
export async function disagreements(target: Target, bare: number): Promise<string[]> {
  const { root, dataRoot, host } = target;
  using database = new Database(join(dataRoot, "metadata.db"), { readonly: true });
  const docs = <T>(table: string) =>
    database
      .query<{ doc: string }, []>(`SELECT doc FROM ${table}`)
      .all()
      .map(({ doc }) => JSON.parse(doc) as T);
  const networks = docs<{ id: string; name: string; driver: string }>("networks");
  const endpoints = docs<{
    veth: string;
    sandboxKey: string;
    networkId: string;
    ports: Record<string, unknown[] | null>;
  }>("endpoints");
  const rows = database.query<{ text: string }, []>("SELECT protocol || host_ip || host_port AS text FROM ports").all();
  const links = (await host.run("ip", "-o", "link")).stdout
    .split("\n")
    .map((line) => line.split(": ")[1]?.split("@")[0]);
  const tables = (await host.run("nft", "list", "tables")).stdout.split("\n").filter((line) => line !== "");
  const ruleset = (await host.run("nft", "list", "ruleset")).stdout;
  const users = networks.filter(({ name }) => !predefined.includes(name)).map(({ id }) => id.slice(0, 12));
  const published = endpoints.flatMap(({ ports }) => Object.values(ports).flatMap((list) => list ?? []));
  const elements = [...ruleset.matchAll(/(?:tcp|udp) \. (?:[\da-f.:]+ \. )?\d+ : /g)];
  const sandboxes = new Set(endpoints.map(({ sandboxKey }) => sandboxKey).filter((key) => key.startsWith(root)));
  const files = readdirSync(join(root, "exec/netns")).map((file) => join(root, "exec/netns", file));
  const found: string[] = [];
  const compare = (what: string, wanted: Iterable<unknown>, actual: Iterable<unknown>) => {
    const [a, b] = [[...wanted].sort().join(" "), [...actual].sort().join(" ")];
    if (a !== b) found.push(`${what}: ${a} but ${b}`);
  };
  compare(
    "bridges",
    users,
    links.flatMap((name) => (name?.startsWith("br-") ? [name.slice(3)] : [])),
  );
  compare(
    "tables",
    [...users, ""],
    tables.map((table) => /gantry-[\da-f]+-?([\da-f]*)$/.exec(table)?.[1] ?? table),
  );
  compare("ports", [published.length, published.length], [rows.length, elements.length]);
  const spare = files.filter((file) => !sandboxes.has(file));
  compare(
    "namespaces of containers",
    sandboxes,
    files.filter((file) => sandboxes.has(file)),
  );
  const veths = links.filter((name) => name?.startsWith("veth"));
  compare(
    "interfaces of containers",
    endpoints.map(({ veth }) => veth),
    veths.filter((name) => endpoints.some(({ veth }) => veth === name)),
  );
  // What nobody uses yet hangs on the default bridge, at most four of it; a container that was disconnected from all keeps its namespace.
  const ready = veths.length - endpoints.length;
  if (ready > 4) found.push(`interfaces that nobody has: ${ready}`);
  if (spare.length > ready + bare)
    found.push(`namespaces that nobody has: ${spare.length}, with an interface: ${ready}`);
  compare("mounts of namespaces", files, mounts(join(root, "exec/netns")));
  return found;
}
