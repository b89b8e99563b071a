/** `build`, `image build`: a context and its Dockerfile go to the daemon, its progress comes back. */
import { writeFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { collectText } from "../../base/streams.ts";
import { splitOnce } from "../../base/text.ts";
import { defineCommand } from "../command.ts";
import * as kinds from "../container/config-kinds.ts";
import type { CliContext } from "../context.ts";
import { flag } from "../flag-kinds.ts";
import { showProgress, silent } from "../progress.ts";
import { checkDockerfile } from "./build-check.ts";
import { contextOf, readDockerfile } from "./build-context.ts";
import { allCredentials } from "./registry-auth.ts";

export const command = defineCommand({
  usage: "[OPTIONS] PATH | URL | -",
  args: { min: 1, max: 1 },
  flags: {
    "add-host": flag.list("Add a custom host-to-IP mapping (host:ip)", { validate: kinds.extraHost }),
    "build-arg": flag.list("Set build-time variables"),
    "cache-from": flag.commaList("Images to consider as cache sources"),
    check: flag.bool("Check the Dockerfile for mistakes, and build nothing"),
    "cgroup-parent": flag.string("Set the parent cgroup for the RUN instructions during build"),
    "cpu-period": flag.int("Limit the CPU CFS (Completely Fair Scheduler) period"),
    "cpu-quota": flag.int("Limit the CPU CFS (Completely Fair Scheduler) quota"),
    "cpu-shares": flag.int("CPU shares (relative weight)", { short: "c" }),
    "cpuset-cpus": flag.string("CPUs in which to allow execution (0-3, 0,1)"),
    "cpuset-mems": flag.string("MEMs in which to allow execution (0-3, 0,1)"),
    file: flag.string("Name of the Dockerfile (Default is 'PATH/Dockerfile')", { short: "f" }),
    "force-rm": flag.bool("Always remove intermediate containers"),
    iidfile: flag.string("Write the image ID to the file"),
    label: flag.list("Set metadata for an image"),
    memory: flag.bytes("Memory limit", { short: "m" }),
    "memory-swap": flag.of(kinds.swapBytes, 0, "Swap limit equal to memory plus swap: '-1' to enable unlimited swap"),
    network: flag.stringWith("default", "Set the networking mode for the RUN instructions during build"),
    "no-cache": flag.bool("Do not use cache when building the image"),
    platform: flag.string("Set platform if server is multi-platform capable"),
    pull: flag.bool("Always attempt to pull a newer version of the image"),
    quiet: flag.bool("Suppress the build output and print image ID on success", { short: "q" }),
    rm: flag.boolOn("Remove intermediate containers after a successful build"),
    "shm-size": flag.bytes("Size of /dev/shm"),
    tag: flag.list("Name and optionally a tag in the 'name:tag' format", { short: "t" }),
    target: flag.string("Set the target build stage to build."),
    ulimit: flag.of(kinds.ulimits, {}, "Ulimit options"),
  },
  async run(context, flags, [source = ""]) {
    const { value } = flags;
    if (value.check) {
      const path = value.file || resolve(source, "Dockerfile");
      const text = path === "-" ? await collectText(context.stdin.stream()) : readDockerfile(path).toString();
      const args = pairs(value["build-arg"], (name) => process.env[name] ?? "");
      const { output, failed } = checkDockerfile({ name: basename(path), text, args, target: value.target });
      context.stdout.write(output);
      return failed ? 1 : 0;
    }
    const { body, remote, dockerfile } = contextOf(context, source, value.file);
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
  },
});

function pairs<T>(items: readonly string[], missing: (name: string) => T): Record<string, string | T> {
  return Object.fromEntries(items.map((item) => (item.includes("=") ? splitOnce(item, "=") : [item, missing(item)])));
}

async function registryConfig(context: CliContext): Promise<string> {
  return Buffer.from(JSON.stringify(await allCredentials(context))).toString("base64url");
}
