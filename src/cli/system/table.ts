/** The system commands; some also stand at the top level. */
import { type CommandEntry, type CommandGroup, findEntry } from "../command.ts";

export const systemCommands: readonly CommandEntry[] = [
  { name: "df", summary: "Show docker disk usage", load: async () => (await import("./df.ts")).command },
  {
    name: "events",
    summary: "Get real time events from the server",
    shownAliases: ["system events", "events"],
    load: async () => (await import("./events.ts")).command,
  },
  {
    name: "info",
    summary: "Display system-wide information",
    shownAliases: ["system info", "info"],
    load: async () => (await import("./info.ts")).command,
  },
  { name: "prune", summary: "Remove unused data", load: async () => (await import("./prune.ts")).command },
];

/** The same entry at the top level. */
export function topSystem(name: string, group?: CommandGroup): CommandEntry {
  const found = findEntry(systemCommands, name);
  if (!found) throw new Error(`no system command ${name}`);
  return group ? { ...found, group } : found;
}
