/**
 * `build`, `image build`: by BuildKit's API, as `docker build` with buildx, or by the classic one: where the daemon has no other, with
 * DOCKER_BUILDKIT=0, and for what only it can do (limits, containers that stay).
 */
import { basename, resolve } from "node:path";
import { collectText } from "../../base/streams.ts";
import { CliError, defineCommand } from "../command.ts";
import * as kinds from "../container/create/config-kinds.ts";
import type { CliContext } from "../context.ts";
import { flag } from "../flag-kinds.ts";
import { parseGoBool } from "../values/go-values.ts";
import { buildByBuildkit } from "./buildkit-build.ts";
import { checkDockerfile } from "./check.ts";
import { type ClassicBuild, classicBuild, pairs } from "./classic-build.ts";
import { readDockerfile } from "./source.ts";

const classicOnly = [
  "cpu-period",
  "cpu-quota",
  "cpu-shares",
  "cpuset-cpus",
  "cpuset-mems",
  "force-rm",
  "memory",
  "memory-swap",
  "rm",
  "squash",
] as const;
const buildkitOnly = [
  "build-context",
  "cache-to",
  "load",
  "metadata-file",
  "no-cache-filter",
  "output",
  "provenance",
  "push",
  "secret",
  "ssh",
] as const;

export const command = defineCommand({
  usage: "[OPTIONS] PATH | URL | -",
  args: { min: 1, max: 1 },
  flags: {
    "add-host": flag.list("Add a custom host-to-IP mapping (host:ip)", { validate: kinds.extraHost }),
    "build-arg": flag.list("Set build-time variables"),
    "cache-from": flag.list("External cache sources (e.g., 'user/app:cache', 'type=registry,ref=user/app:cache')"),
    "cache-to": flag.list(
      "Cache export destinations (e.g., 'type=registry,ref=user/app:cache,mode=max', 'type=inline')",
    ),
    "build-context": flag.list("Additional build contexts (e.g., name=path)"),
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
    load: flag.bool("Shorthand for '--output=type=docker'"),
    memory: flag.bytes("Memory limit", { short: "m" }),
    "memory-swap": flag.of(kinds.swapBytes, 0, "Swap limit equal to memory plus swap: '-1' to enable unlimited swap"),
    "metadata-file": flag.string("Write build result metadata to a file"),
    network: flag.stringWith("default", "Set the networking mode for the RUN instructions during build"),
    "no-cache": flag.bool("Do not use cache when building the image"),
    "no-cache-filter": flag.commaList("Do not cache specified stages"),
    output: flag.list("Output destination (format: 'type=local,dest=path')", { short: "o" }),
    platform: flag.string("Set platform if server is multi-platform capable"),
    progress: flag.stringWith("auto", "Set type of progress output ('auto', 'quiet', 'plain', 'tty', 'rawjson')"),
    provenance: flag.string("Attach where the result comes from ('true', 'mode=min', 'mode=max', 'version=v1')"),
    pull: flag.bool("Always attempt to pull a newer version of the image"),
    push: flag.bool("Shorthand for '--output=type=registry,unpack=false'"),
    quiet: flag.bool("Suppress the build output and print image ID on success", { short: "q" }),
    rm: flag.boolOn("Remove intermediate containers after a successful build"),
    secret: flag.list("Secret to expose to the build (format: 'id=mysecret[,src=/local/secret]')"),
    "shm-size": flag.bytes("Size of /dev/shm"),
    squash: flag.bool("Squash newly built layers into a single new layer"),
    ssh: flag.commaList("SSH agent socket to expose to the build (format: 'default|<id>[=<socket>]')"),
    tag: flag.list("Name and optionally a tag in the 'name:tag' format", { short: "t" }),
    target: flag.string("Set the target build stage to build."),
    ulimit: flag.of(kinds.ulimits, {}, "Ulimit options"),
  },
  async run(context, flags, [source = ""]) {
    const { value } = flags;
    if (value.check) return check(context, source, value);
    const wanted = buildkitOnly.find((name) => flags.changed(name));
    const limiting = classicOnly.find((name) => flags.changed(name));
    const { file, label: labels, tag: tags, "build-arg": args } = value;
    const isClassic = limiting !== undefined || !(await hasBuildkit(context));
    if (isClassic && wanted !== undefined) {
      const reason = limiting === undefined ? "the classic builder is in use" : `--${limiting} is not BuildKit's`;
      throw new CliError(`--${wanted} needs BuildKit, and ${reason}`);
    }
    if (isClassic) return classicBuild(context, source, value satisfies ClassicBuild);
    return buildByBuildkit(context, {
      source,
      file,
      tags,
      args,
      labels,
      contexts: value["build-context"],
      cacheFrom: value["cache-from"],
      cacheTo: value["cache-to"],
      secrets: value.secret,
      agents: value.ssh,
      outputs: value.output,
      push: value.push,
      load: value.load,
      target: value.target,
      platform: value.platform,
      network: value.network,
      noCache: value["no-cache"],
      noCacheFilter: value["no-cache-filter"],
      provenance: value.provenance,
      pull: value.pull,
      hosts: value["add-host"],
      shmSize: value["shm-size"],
      ulimits: Object.values(value.ulimit),
      cgroupParent: value["cgroup-parent"],
      progress: value.progress === "auto" ? "" : value.progress,
      quiet: value.quiet,
      iidfile: value.iidfile,
      metadataFile: value["metadata-file"],
    });
  },
});

async function check(
  context: CliContext,
  source: string,
  { file, target, "build-arg": given }: { file: string; target: string; "build-arg": readonly string[] },
): Promise<number> {
  const path = file || resolve(source, "Dockerfile");
  const text = path === "-" ? await collectText(context.stdin.stream()) : readDockerfile(path).toString();
  const args = pairs(given, (name) => process.env[name] ?? "");
  const { output, failed } = checkDockerfile({ name: basename(path), text, args, target });
  context.stdout.write(output);
  return failed ? 1 : 0;
}

/** DOCKER_BUILDKIT decides, else the daemon. */
async function hasBuildkit(context: CliContext): Promise<boolean> {
  const wish = context.env["DOCKER_BUILDKIT"] ?? "";
  if (wish !== "") {
    try {
      return parseGoBool(wish);
    } catch {
      throw new CliError("DOCKER_BUILDKIT environment variable expects boolean value");
    }
  }
  const response = await context.client.request("GET", "/_ping");
  await response.body?.cancel();
  return response.headers.get("builder-version") === "2";
}
