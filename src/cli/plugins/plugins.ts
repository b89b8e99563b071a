/** Plugins of Docker's CLI (`docker-compose`, `docker-buildx`, …): where they are found, and what makes one usable. Messages are docker's. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { errorCode } from "../../base/errors.ts";
import { goComplaint } from "../../base/go-json-complaint.ts";
import { findEntry } from "../command.ts";
import { commandTable } from "../commands.ts";
import type { ConfigFile } from "../config-file.ts";
import type { CliContext } from "../context.ts";
import { defaultHost } from "../endpoint.ts";
import { naturalCompare } from "../values/natural-sort.ts";

/** What `PLUGIN docker-cli-plugin-metadata` prints. */
interface PluginMetadata {
  SchemaVersion?: string;
  Vendor?: string;
  Version?: string;
  ShortDescription?: string;
  URL?: string;
  Hidden?: boolean;
}

/** As `info` shows it. */
export interface CliPlugin extends PluginMetadata {
  Name: string;
  Path: string;
  /** Why it cannot be used. */
  Err?: string;
  /** Files of the same name in directories that come later. */
  ShadowedPaths?: string[];
}

/** docker's own names for a plugin's commands. */
const shortcuts: Record<string, string> = { bake: "buildx" };
const prefix = "docker-";
const nameRule = /^[a-z][a-z0-9]*$/;
const systemDirectories = [
  "/usr/local/lib/docker/cli-plugins",
  "/usr/local/libexec/docker/cli-plugins",
  "/usr/lib/docker/cli-plugins",
  "/usr/libexec/docker/cli-plugins",
];

/** In the order in which they are searched. */
export function pluginDirectories({ directory, values }: ConfigFile): string[] {
  const extra = Array.isArray(values["cliPluginsExtraDirs"]) ? values["cliPluginsExtraDirs"].map(String) : [];
  return [...extra, join(directory, "cli-plugins"), ...systemDirectories];
}

/** A command line whose word at `at` is no command of ours, with the plugin that it belongs to: `bake` is `buildx bake`. */
export function withPlugin(words: readonly string[], at: number): string[] {
  const owner = shortcuts[words[at] ?? ""];
  return owner === undefined ? [...words] : words.toSpliced(at, 0, owner);
}

/** The first file of that name, if it is a usable plugin. */
export async function findPlugin(name: string, directories: readonly string[]): Promise<CliPlugin | undefined> {
  if (!nameRule.test(name)) return undefined;
  const path = directories.map((directory) => join(directory, prefix + name)).find((file) => existsSync(file));
  const plugin = path === undefined ? undefined : await inspectPlugin(name, path);
  return plugin?.Err === undefined ? plugin : undefined;
}

/** All of them by name, the unusable with the reason. */
export async function listPlugins(directories: readonly string[]): Promise<CliPlugin[]> {
  const found = new Map<string, string[]>();
  for (const directory of directories) {
    for (const file of pluginFiles(directory)) {
      const name = file.slice(prefix.length);
      found.set(name, [...(found.get(name) ?? []), join(directory, file)]);
    }
  }
  const plugins = await Promise.all(
    [...found].map(async ([name, [path = "", ...shadowed]]) => ({
      ...(await inspectPlugin(name, path)),
      ...(shadowed.length > 0 ? { ShadowedPaths: shadowed } : {}),
    })),
  );
  return plugins.sort((a, b) => naturalCompare(a.Name, b.Name));
}

function pluginFiles(directory: string): string[] {
  try {
    const names = readdirSync(directory).filter((name) => name.startsWith(prefix));
    return names.filter((name) => statSync(join(directory, name), { throwIfNoEntry: false })?.isFile());
  } catch {
    return []; // A directory that is not there or cannot be read holds no plugins.
  }
}

async function inspectPlugin(name: string, path: string): Promise<CliPlugin> {
  const unusable = (Err: string): CliPlugin => ({ Name: name, Path: path, Err });
  if (!nameRule.test(name)) return unusable(`plugin candidate "${name}" did not match "${nameRule.source}"`);
  const builtIn = findEntry(commandTable, name);
  if (builtIn?.name === name) return unusable(`plugin "${name}" duplicates builtin command`);
  if (builtIn) return unusable(`plugin "${name}" duplicates an alias of builtin command "${builtIn.name}"`);
  const { output, failure } = await askMetadata(path);
  if (failure !== undefined) return unusable(`failed to fetch metadata: ${failure}`);
  let metadata: PluginMetadata;
  try {
    metadata = JSON.parse(output) as PluginMetadata;
  } catch {
    return unusable(`invalid metadata: ${goComplaint(output)}`);
  }
  const problem = metadataProblem(metadata);
  return { ...metadata, ...(problem === undefined ? { Name: name, Path: path } : unusable(problem)) };
}

async function askMetadata(path: string): Promise<{ output: string; failure?: string }> {
  try {
    const child = Bun.spawn([path, "docker-cli-plugin-metadata"], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
    });
    const output = await new Response(child.stdout).text();
    const code = await child.exited;
    return code === 0 ? { output } : { output, failure: `exit status ${code}` };
  } catch (error) {
    const reason = errorCode(error) === "EACCES" ? "permission denied" : "no such file or directory";
    return { output: "", failure: `fork/exec ${path}: ${reason}` };
  }
}

/** Version 2 of the schema may mean anything; all before it is understood. */
function metadataProblem({ SchemaVersion = "", Vendor = "" }: PluginMetadata): string | undefined {
  if (SchemaVersion === "") return "plugin SchemaVersion version cannot be empty";
  const major = /^(\d+)\./.exec(SchemaVersion)?.[1];
  if (major === undefined) {
    return `plugin SchemaVersion "${SchemaVersion}" has wrong format: must be <major>.<minor>.<patch>`;
  }
  if (Number(major) > 1) return `plugin SchemaVersion "${SchemaVersion}" is not supported: must be lower than 2.0.0`;
  return Vendor === "" ? "plugin metadata does not define a vendor" : undefined;
}

/**
 * What a plugin finds in its environment: which daemon is meant, if the user has chosen none (plugins know Docker's default socket only), and
 * how this program was started. Whoever starts it so again gets the same program, whatever its file is called.
 */
export function pluginEnvironment({
  program,
  choice,
  contextName,
  env,
}: CliContext): Record<string, string | undefined> {
  const chosen = choice.hosts.length > 0 || contextName !== "default" || env["DOCKER_HOST"];
  return {
    ...env,
    ...(chosen ? {} : { DOCKER_HOST: defaultHost(program) }),
    DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND: process.argv0,
    GANTRY_PROGRAM_NAME: program,
  };
}
