/** The command table: every name, its line in help, and where its code is. Order within a help group is that of the docker CLI. */
import type { CommandEntry } from "./command.ts";
import { containerCommands, topLevel } from "./container/table.ts";

export const commandTable: readonly CommandEntry[] = [
  { name: "container", summary: "Manage containers", children: containerCommands },
  topLevel("rm"),
];
