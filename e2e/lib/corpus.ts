/** Tables of small builds (e2e/corpus/README.md): reading them, building them by the API, and saying what came out. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { must } from "./run.ts";
import { dockerCli, dockerdRoot } from "./settings.ts";
import type { Target } from "./target.ts";

export interface Case {
  name: string;
  /** BuildKit's, where the oracle is asked. */
  kit: boolean;
  options: [name: string, value: string][];
  /** Shell lines that add to the context. */
  setup: string[];
  dockerfile: string;
}

export function parseCases(text: string): Case[] {
  return text
    .split(/^=== /m)
    .slice(1)
    .map((block) => {
      const [head = "", ...lines] = block.split("\n");
      const [name = "", ...words] = head.split(" ");
      const setup = lines.filter((line) => line.startsWith("$ ")).map((line) => line.slice(2));
      const options = words.filter((word) => word.includes("=")).map((word) => splitAt(word, "="));
      const dockerfile = lines.slice(setup.length).join("\n");
      return { name, kit: words.includes("kit"), options, setup, dockerfile };
    });
}

function splitAt(word: string, separator: string): [string, string] {
  const at = word.indexOf(separator);
  return [word.slice(0, at), word.slice(at + 1)];
}

const common = [
  "umask 022; mkdir -p dir/sub; echo a > a; echo b > b; echo x > dir/x; echo y > dir/sub/y; chmod 600 dir/sub/y",
  "echo '#!/bin/sh' > dir/run.sh; chmod 755 dir/run.sh; ln -s a link; ln -s nowhere dangling",
];

/** Makes the context's directory. */
async function makeContext(parent: string, { options, setup, dockerfile }: Case): Promise<string> {
  const directory = mkdtempSync(join(parent, "case-"));
  const file = join(directory, new Map(options).get("file") ?? "Dockerfile");
  mkdirSync(dirname(file), { recursive: true });
  await must(["sh", "-ec", common.join("\n")], { cwd: directory });
  writeFileSync(file, dockerfile);
  if (setup.length > 0) await must(["sh", "-ec", setup.join("\n")], { cwd: directory });
  return directory;
}

/** Builds the case under the name `corpus:NAME`. Returns the error, or undefined. */
export async function buildCase(target: Target, one: Case): Promise<string | undefined> {
  const directory = await makeContext(target.root, one);
  try {
    const byBuildKit = one.kit && target.kind === "dockerd";
    return byBuildKit ? await buildByCli(target, one, directory) : await buildByApi(target, one, directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function buildByApi(target: Target, { name, options }: Case, directory: string): Promise<string | undefined> {
  const query = new URLSearchParams({ t: `corpus:${name}`, rm: "1", forcerm: "1" });
  const maps: Record<string, Record<string, string>> = { arg: {}, label: {} };
  for (const [key, value] of options) {
    const [kind, inner] = splitAt(key.includes(".") ? key : `.${key}`, ".");
    if (kind !== "") (maps[kind] as Record<string, string>)[inner] = value;
    else query.set({ file: "dockerfile", network: "networkmode" }[key] ?? key, value);
  }
  query.set("buildargs", JSON.stringify(maps["arg"]));
  query.set("labels", JSON.stringify(maps["label"]));
  const tar = Bun.spawn(["tar", "--xattrs", "--xattrs-include=*", "--format=pax", "-C", directory, "-c", "."], {
    stdout: "pipe",
    stderr: "ignore",
  });
  const body = await new Response(tar.stdout).arrayBuffer();
  const response = await target.api(`/build?${query}`, { method: "POST", body });
  const text = await response.text();
  if (!response.ok) return (JSON.parse(text) as { message: string }).message;
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { error?: string }).error)
    .find((error) => error !== undefined);
}

/** By the oracle's BuildKit, which needs its own CLI and plugin. */
async function buildByCli(target: Target, { name, options }: Case, directory: string): Promise<string | undefined> {
  const config = join(target.root, "cli-kit");
  mkdirSync(config, { recursive: true });
  const plugins = [`${dockerdRoot}/usr/libexec/docker/cli-plugins`];
  writeFileSync(join(config, "config.json"), JSON.stringify({ cliPluginsExtraDirs: plugins }));
  const flags = options.flatMap(([key, value]) => (key === "file" ? ["-f", join(directory, value)] : []));
  const cli = dockerdRoot ? `${dockerdRoot}/usr/bin/docker` : dockerCli;
  const env = { DOCKER_BUILDKIT: "1", DOCKER_CONFIG: config };
  const arguments_ = ["build", "--provenance=false", "-t", `corpus:${name}`, ...flags, directory];
  const { code, stderr } = await target.dockerWith({ cli, env }, ...arguments_);
  return code === 0 ? undefined : stderr;
}
