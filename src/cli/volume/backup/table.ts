/** The commands of scheduled volume backups: Gantry's own. */
import type { CommandEntry } from "../../command.ts";

export const backupCommands: readonly CommandEntry[] = [
  {
    name: "create",
    summary: "Back up a volume by schedule",
    load: async () => (await import("./create.ts")).command,
  },
  {
    name: "inspect",
    summary: "Display detailed information on one or more backups",
    load: async () => {
      const { inspectCommand } = await import("../inspect-all.ts");
      return inspectCommand("BACKUP", (await import("../paths.ts")).backupPath);
    },
  },
  {
    name: "ls",
    summary: "List backups",
    aliases: ["list"],
    shownAliases: ["volume backup ls", "volume backup list"],
    load: async () => (await import("./ls.ts")).command,
  },
  {
    name: "rm",
    summary: "End the schedule of one or more backups; what was backed up stays",
    aliases: ["remove"],
    shownAliases: ["volume backup rm", "volume backup remove"],
    load: async () => {
      const { removeCommand } = await import("../remove-all.ts");
      return removeCommand("BACKUP", (await import("../paths.ts")).backupPath);
    },
  },
  { name: "run", summary: "Make a backup now", load: async () => (await import("./run.ts")).command },
];
