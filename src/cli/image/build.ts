/** `build`, `image build`: a context and its Dockerfile go to the daemon, its progress comes back. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, relative, resolve } from "node:path";
import type { Bytes } from "../../base/streams.ts";
import { IgnoreMatcher, parseIgnoreFile } from "../../dockerfile/ignore.ts";
import { CliError, defineCommand } from "../command.ts";
import * as kinds from "../container/config-kinds.ts";
import type { CliContext } from "../context.ts";
import { flag } from "../flag-kinds.ts";
import { showProgress, silent } from "../progress.ts";
import { type Choice, packTree } from "../tar/pack.ts";
import { packText } from "../tar/pack-text.ts";
import { checkDockerfile } from "./build-check.ts";
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
      const text = (
        path === "-" ? await new Response(context.stdin.stream()).text() : readDockerfile(path).toString()
      ) as string;
      const args = Object.fromEntries(Object.entries(pairs(value["build-arg"], (name) => process.env[name] ?? "")));
      const { output, failed } = checkDockerfile({ name: basename(path), text, args, target: value.target });
      context.stdout.write(output);
      return failed ? 1 : 0;
    }
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

interface BuildInput {
  body: Bytes | undefined;
  remote: string;
  dockerfile: string;
}

async function contextOf(context: CliContext, source: string, file: string): Promise<BuildInput> {
  if (/^(https?:\/\/|git:\/\/|ssh:\/\/|git@|github\.com\/)/.test(source)) {
    return { body: undefined, remote: source, dockerfile: file || "Dockerfile" };
  }
  if (source === "-") {
    if (file === "-") throw new CliError("invalid argument: can't use stdin for both build context and dockerfile");
    return { body: standardInput(context.stdin.stream()), remote: "", dockerfile: file || "Dockerfile" };
  }
  return localContext(source, file);
}

/** A tar archive of any compression as it is; anything else is a Dockerfile without a context. */
async function* standardInput(input: Bytes): AsyncGenerator<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let isArchive: boolean | undefined;
  for await (const chunk of input) {
    if (isArchive) {
      yield chunk;
      continue;
    }
    chunks.push(chunk);
    const head = Buffer.concat(chunks);
    if (isArchive === undefined && head.length >= 512) isArchive = looksLikeArchive(head);
    if (isArchive) yield head;
  }
  if (isArchive) return;
  const whole = Buffer.concat(chunks);
  if (whole.length === 0) throw new CliError("failed to peek context header from STDIN: EOF");
  if (looksLikeArchive(whole)) yield whole;
  else
    yield* packText(
      "Dockerfile",
      whole,
      (async function* () {
        yield Buffer.alloc(1024);
      })(),
    );
}

function looksLikeArchive(head: Buffer): boolean {
  const magics = ["1f8b08", "28b52ffd", "fd377a585a00", "425a68"];
  const hex = head.subarray(0, 6).toString("hex");
  return magics.some((magic) => hex.startsWith(magic)) || head.toString("latin1", 257, 262) === "ustar";
}

/** The Dockerfile may lie outside the context: it then goes along under a name of its own. */
function localContext(source: string, file: string): BuildInput {
  const directory = resolve(source);
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw new CliError(`unable to prepare context: path ${JSON.stringify(source)} not found`);
  }
  const path = file === "" ? resolve(directory, "Dockerfile") : resolve(file);
  const inside = relative(directory, path);
  const isInside = inside !== "" && !inside.startsWith("..");
  const text = isInside ? undefined : readDockerfile(path);
  if (isInside && !statSync(path, { throwIfNoEntry: false })) {
    throw new CliError(
      `unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat ${path}: no such file or directory`,
    );
  }
  const dockerfile =
    text === undefined ? inside : `.dockerfile.${crypto.randomUUID().replaceAll("-", "").slice(0, 20)}`;
  const choose = chooser(ignorePatterns(directory, isInside ? inside : ""), isInside ? inside : "");
  const tree = packTree(Buffer.from(directory).toString("latin1"), ".", choose);
  return { body: text === undefined ? tree : packText(dockerfile, text, tree), remote: "", dockerfile };
}

function readDockerfile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    throw new CliError(
      `unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat ${path}: no such file or directory`,
    );
  }
}

function ignorePatterns(directory: string, dockerfile: string): string[] {
  for (const name of [`${dockerfile}.dockerignore`, ".dockerignore"]) {
    try {
      return parseIgnoreFile(readFileSync(resolve(directory, name), "utf8"));
    } catch {
      // There is none.
    }
  }
  return [];
}

/** The daemon needs the Dockerfile and the ignore file even when they are not to be copied; it takes them out itself. */
function chooser(patterns: string[], dockerfile: string): (path: string) => Choice {
  const latin1 = (text: string) => Buffer.from(text).toString("latin1");
  const matcher = new IgnoreMatcher(patterns.map(latin1));
  const kept = [latin1(dockerfile), ".dockerignore", `${latin1(dockerfile)}.dockerignore`];
  return (path) => {
    if (kept.includes(path) || !matcher.matches(path)) return "pack";
    return matcher.mayHoldExceptions(path) || kept.some((name) => name.startsWith(`${path}/`)) ? "look" : "skip";
  };
}

function pairs<T>(items: readonly string[], missing: (name: string) => T): Record<string, string | T> {
  return Object.fromEntries(
    items.map((item) => {
      const at = item.indexOf("=");
      return at < 0 ? [item, missing(item)] : [item.slice(0, at), item.slice(at + 1)];
    }),
  );
}

async function registryConfig(context: CliContext): Promise<string> {
  return Buffer.from(JSON.stringify(await allCredentials(context))).toString("base64url");
}
