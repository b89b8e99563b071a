/** The volume commands. */
import type { CommandEntry } from "../command.ts";
import { backupCommands } from "./backup/table.ts";
import { snapshotCommands } from "./snapshot/table.ts";

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
  // Gantry's own.
  { name: "backup", summary: "Back up volumes by schedule", children: backupCommands },
  {
    name: "clone",
    summary: "Make a volume with the data of another",
    load: async () => (await import("./clone.ts")).command,
  },
  {
    name: "export",
    summary: "Write a volume as a tar archive",
    load: async () => (await import("./export.ts")).command,
  },
  {
    name: "import",
    summary: "Fill a volume from a tar archive",
    load: async () => (await import("./import.ts")).command,
  },
  {
    name: "pull",
    summary: "Fill a volume from an artifact in a registry",
    load: async () => (await import("./transfer.ts")).pullCommand,
  },
  {
    name: "push",
    summary: "Push a volume to a registry, as an OCI artifact",
    load: async () => (await import("./transfer.ts")).pushCommand,
  },
  {
    name: "restore",
    summary: "Put a snapshot in the place of a volume's data",
    load: async () => (await import("./restore.ts")).command,
  },
  { name: "snapshot", summary: "Manage snapshots of volumes", children: snapshotCommands },
];
