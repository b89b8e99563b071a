/** The container commands, as `container X` and, most of them, as `X`. */
import type { CommandEntry, CommandGroup } from "../command.ts";

const entry = (
  name: string,
  summary: string,
  load: NonNullable<CommandEntry["load"]>,
  paths?: string,
  aliases: string[] = [],
): CommandEntry => ({
  name,
  summary,
  load,
  aliases,
  ...(paths === "" ? {} : { shownAliases: (paths ?? `container ${name}, ${name}`).split(", ") }),
});

/** The children of `container`; D2's `ls` and `inspect` are added in commands.ts. */
/** The children of `container` that have to do with running; listing and inspecting are in `commands.ts`. */
export const containerCommands: readonly CommandEntry[] = [
  entry(
    "attach",
    "Attach local standard input, output, and error streams to a running container",
    async () => (await import("./attach.ts")).command,
  ),
  entry("commit", "Create a new image from a container's changes", async () => (await import("./commit.ts")).command),
  entry(
    "cp",
    "Copy files/folders between a container and the local filesystem",
    async () => (await import("./cp.ts")).command,
  ),
  entry("create", "Create a new container", async () => (await import("./create.ts")).command),
  entry(
    "diff",
    "Inspect changes to files or directories on a container's filesystem",
    async () => (await import("./diff.ts")).command,
  ),
  entry("exec", "Execute a command in a running container", async () => (await import("./exec.ts")).command),
  entry(
    "export",
    "Export a container's filesystem as a tar archive",
    async () => (await import("./export.ts")).command,
  ),
  entry("kill", "Kill one or more running containers", async () => (await import("./kill.ts")).command),
  entry("logs", "Fetch the logs of a container", async () => (await import("./logs.ts")).command),
  entry("pause", "Pause all processes within one or more containers", async () => (await import("./pause.ts")).command),
  entry(
    "port",
    "List port mappings or a specific mapping for the container",
    async () => (await import("./port.ts")).command,
  ),
  entry("prune", "Remove all stopped containers", async () => (await import("./prune.ts")).command, ""),
  entry("rename", "Rename a container", async () => (await import("./rename.ts")).command),
  entry("restart", "Restart one or more containers", async () => (await import("./restart.ts")).command),
  entry(
    "rm",
    "Remove one or more containers",
    async () => (await import("./rm.ts")).command,
    "container rm, container remove, rm",
    ["remove"],
  ),
  entry("run", "Create and run a new container from an image", async () => (await import("./run.ts")).command),
  entry("start", "Start one or more stopped containers", async () => (await import("./start.ts")).command),
  entry(
    "stats",
    "Display a live stream of container(s) resource usage statistics",
    async () => (await import("./stats.ts")).command,
  ),
  entry("stop", "Stop one or more running containers", async () => (await import("./stop.ts")).command),
  entry("top", "Display the running processes of a container", async () => (await import("./top.ts")).command),
  entry(
    "unpause",
    "Unpause all processes within one or more containers",
    async () => (await import("./unpause.ts")).command,
  ),
  entry("update", "Update configuration of one or more containers", async () => (await import("./update.ts")).command),
  entry(
    "wait",
    "Block until one or more containers stop, then print their exit codes",
    async () => (await import("./wait.ts")).command,
  ),
];

/** The same entry at the top level. */
export function topLevel(name: string, group?: CommandGroup): CommandEntry {
  const found = containerCommands.find((candidate) => candidate.name === name);
  if (!found) throw new Error(`no container command ${name}`);
  const { aliases: _aliases, ...rest } = found;
  return group ? { ...rest, group } : rest;
}
