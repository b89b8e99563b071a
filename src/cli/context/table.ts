/** The context commands. */
import type { CommandEntry } from "../command.ts";

export const contextCommands: readonly CommandEntry[] = [
  { name: "create", summary: "Create a context", load: async () => (await import("./create.ts")).command },
  {
    name: "export",
    summary: "Export a context to a tar archive FILE or a tar stream on STDOUT.",
    load: async () => (await import("./export.ts")).command,
  },
  {
    name: "import",
    summary: "Import a context from a tar or zip file",
    load: async () => (await import("./import.ts")).command,
  },
  {
    name: "inspect",
    summary: "Display detailed information on one or more contexts",
    load: async () => (await import("./inspect.ts")).command,
  },
  {
    name: "ls",
    summary: "List contexts",
    aliases: ["list"],
    shownAliases: ["context ls", "context list"],
    load: async () => (await import("./ls.ts")).command,
  },
  {
    name: "rm",
    summary: "Remove one or more contexts",
    aliases: ["remove"],
    shownAliases: ["context rm", "context remove"],
    load: async () => (await import("./rm.ts")).command,
  },
  {
    name: "show",
    summary: "Print the name of the current context",
    load: async () => (await import("./show.ts")).command,
  },
  { name: "update", summary: "Update a context", load: async () => (await import("./update.ts")).command },
  { name: "use", summary: "Set the current docker context", load: async () => (await import("./use.ts")).command },
];
