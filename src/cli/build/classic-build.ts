/** `build` by the classic API: the context goes to the daemon as an archive, its progress comes back. */
import { writeFileSync } from "node:fs";
import type { Ulimit } from "../../api/container-config.ts";
import { splitOnce } from "../../base/text.ts";
import type { CliContext } from "../context.ts";
import { allCredentials } from "../image/registry-auth.ts";
import { showProgress, silent } from "../terminal/progress.ts";
import { contextOf } from "./classic-context.ts";

/** The flags that it knows, by their names. */
export interface ClassicBuild {
  readonly "add-host": readonly string[];
  readonly "build-arg": readonly string[];
  readonly "cache-from": readonly string[];
  readonly "cgroup-parent": string;
  readonly "cpu-period": number;
  readonly "cpu-quota": number;
  readonly "cpu-shares": number;
  readonly "cpuset-cpus": string;
  readonly "cpuset-mems": string;
  readonly file: string;
  readonly "force-rm": boolean;
  readonly iidfile: string;
  readonly label: readonly string[];
  readonly memory: number;
  readonly "memory-swap": number;
  readonly network: string;
  readonly "no-cache": boolean;
  readonly platform: string;
  readonly pull: boolean;
  readonly quiet: boolean;
  readonly rm: boolean;
  readonly "shm-size": number;
  readonly squash: boolean;
  readonly tag: readonly string[];
  readonly target: string;
  readonly ulimit: Record<string, Ulimit>;
}

/** Resolves with the command's exit code. */
export async function classicBuild(context: CliContext, source: string, value: ClassicBuild): Promise<number> {
  const { body, remote, dockerfile } = await contextOf(context, source, value.file);
  let id = "";
  const stream = await context.client.stream("POST", "/build", {
    query: {
      t: value.tag,
      dockerfile,
      remote: remote || undefined,
      q: value.quiet || undefined,
      nocache: value["no-cache"] || undefined,
      pull: value.pull || undefined,
      rm: value.rm ? 1 : 0,
      forcerm: value["force-rm"] || undefined,
      squash: value.squash || undefined,
      target: value.target || undefined,
      platform: value.platform.toLowerCase() || undefined,
      networkmode: value.network,
      buildargs: JSON.stringify(pairs(value["build-arg"], (name) => process.env[name] ?? null)),
      labels: JSON.stringify(pairs(value.label, () => "")),
      cachefrom: JSON.stringify(value["cache-from"]),
      extrahosts: value["add-host"],
      memory: value.memory || undefined,
      memswap: value["memory-swap"] || undefined,
      cpushares: value["cpu-shares"] || undefined,
      cpuperiod: value["cpu-period"] || undefined,
      cpuquota: value["cpu-quota"] || undefined,
      cpusetcpus: value["cpuset-cpus"] || undefined,
      cpusetmems: value["cpuset-mems"] || undefined,
      cgroupparent: value["cgroup-parent"] || undefined,
      shmsize: value["shm-size"] || undefined,
      ulimits: Object.keys(value.ulimit).length > 0 ? JSON.stringify(Object.values(value.ulimit)) : undefined,
    },
    headers: { "Content-Type": "application/x-tar", "X-Registry-Config": await registryConfig(context) },
    ...(body === undefined ? {} : { stream: body }),
  });
  const target = value.quiet
    ? { ...silent, write: (text: string) => context.stdout.write(text) }
    : { write: (text: string) => context.stdout.write(text), columns: context.stdout.size()?.columns };
  await showProgress(stream, target, (aux) => {
    id = (aux as { ID?: string }).ID ?? id;
  });
  if (value.iidfile !== "") writeFileSync(value.iidfile, id);
  return 0;
}

export function pairs<T>(items: readonly string[], missing: (name: string) => T): Record<string, string | T> {
  return Object.fromEntries(items.map((item) => (item.includes("=") ? splitOnce(item, "=") : [item, missing(item)])));
}

async function registryConfig(context: CliContext): Promise<string> {
  return Buffer.from(JSON.stringify(await allCredentials(context))).toString("base64url");
}
