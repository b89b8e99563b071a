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
  shownAliases: (paths ?? `container ${name}, ${name}`).split(", "),
});

/** The children of `container`; D2's `ls` and `inspect` are added in commands.ts. */
export const containerCommands: readonly CommandEntry[] = [
  entry(
    "rm",
    "Remove one or more containers",
    async () => (await import("./rm.ts")).command,
    "container rm, container remove, rm",
    ["remove"],
  ),
];

/** The same entry at the top level. */
export function topLevel(name: string, group?: CommandGroup): CommandEntry {
  const found = containerCommands.find((candidate) => candidate.name === name);
  if (!found) throw new Error(`no container command ${name}`);
  const { aliases: _aliases, ...rest } = found;
  return group ? { ...rest, group } : rest;
}
