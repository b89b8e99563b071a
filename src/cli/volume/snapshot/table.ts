/** The commands of volume snapshots: Gantry's own. */
import type { CommandEntry } from "../../command.ts";

export const snapshotCommands: readonly CommandEntry[] = [
  {
    name: "create",
    summary: "Take a snapshot of a volume",
    load: async () => (await import("./create.ts")).command,
  },
  {
    name: "inspect",
    summary: "Display detailed information on one or more snapshots",
    load: async () => {
      const { inspectCommand } = await import("../inspect-all.ts");
      return inspectCommand("SNAPSHOT", (await import("../paths.ts")).snapshotPath);
    },
  },
  {
    name: "ls",
    summary: "List snapshots",
    aliases: ["list"],
    shownAliases: ["volume snapshot ls", "volume snapshot list"],
    load: async () => (await import("./ls.ts")).command,
  },
  {
    name: "rm",
    summary: "Remove one or more snapshots",
    aliases: ["remove"],
    shownAliases: ["volume snapshot rm", "volume snapshot remove"],
    load: async () => {
      const { removeCommand } = await import("../remove-all.ts");
      return removeCommand("SNAPSHOT", (await import("../paths.ts")).snapshotPath);
    },
  },
];
