/** The volume commands. */
import type { CommandEntry } from "../command.ts";

export const volumeCommands: readonly CommandEntry[] = [
  { name: "create", summary: "Create a volume", load: async () => (await import("./create.ts")).command },
  {
    name: "inspect",
    summary: "Display detailed information on one or more volumes",
    load: async () => (await import("./inspect.ts")).command,
  },
  {
    name: "ls",
    summary: "List volumes",
    aliases: ["list"],
    shownAliases: ["volume ls", "volume list"],
    load: async () => (await import("./ls.ts")).command,
  },
  { name: "prune", summary: "Remove unused local volumes", load: async () => (await import("./prune.ts")).command },
  {
    name: "rm",
    summary: "Remove one or more volumes",
    aliases: ["remove"],
    shownAliases: ["volume rm", "volume remove"],
    load: async () => (await import("./rm.ts")).command,
  },
];
