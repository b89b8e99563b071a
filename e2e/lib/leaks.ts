/** Looks for what a daemon left behind on its host. */
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { run } from "./run.ts";
import type { TestHost } from "./test-host.ts";

export interface Traces {
  /** Everything of the daemon lives under this directory. */
  root: string;
  /** Name of its parent cgroup, without slashes. */
  cgroup: string;
  host: TestHost;
}

/** One line for each thing left: processes, mounts, cgroups, links, firewall tables. */
export async function findLeaks(traces: Traces): Promise<string[]> {
  return [
    ...processes(traces).map((process) => `process: ${process.pid} ${process.command}`),
    ...mounts(traces.root).map((path) => `mount: ${path}`),
    ...cgroups(traces.cgroup).map((path) => `cgroup: ${path}`),
    ...(await links(traces.host)).map((link) => `link: ${link}`),
    ...(await tables(traces.host)).map((table) => `firewall: ${table}`),
  ];
}

interface Process {
  pid: number;
  command: string;
}

/** Processes in the daemon's cgroups, on its host's network, or that name its root on their command line. */
export function processes({ root, cgroup, host }: Traces): Process[] {
  const network = existsSync(host.netns) ? statSync(host.netns).ino : -1;
  const found: Process[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
      const inside = readFileSync(`/proc/${name}/cgroup`, "utf8").includes(`/${cgroup}/`);
      const sameNetwork = readlinkSync(`/proc/${name}/ns/net`) === `net:[${network}]`;
      if (inside || sameNetwork || command.includes(root)) found.push({ pid: Number(name), command });
    } catch {
      // The process ended while we looked, or is a zombie without namespaces.
    }
  }
  return found;
}

export function mounts(root: string): string[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return lines.map((line) => line.split(" ")[4] ?? "").filter((path) => path.startsWith(`${root}/`));
}

export function cgroups(name: string): string[] {
  const base = "/sys/fs/cgroup";
  const hierarchies = [base, ...readdirSync(base).map((hierarchy) => join(base, hierarchy))];
  return hierarchies.map((hierarchy) => join(hierarchy, name)).filter((path) => existsSync(path));
}

async function links(host: TestHost): Promise<string[]> {
  const { stdout } = await run(["ip", "-n", host.name, "-o", "link"]);
  const names = stdout.split("\n").map((line) => line.split(": ")[1]?.replace(/@.*/, "") ?? "");
  return names.filter((name) => name !== "" && name !== "lo" && name !== "eth0");
}

async function tables(host: TestHost): Promise<string[]> {
  const { stdout } = await host.run("nft", "list", "tables");
  return stdout.split("\n").filter((line) => line !== "");
}
