/** The network commands. */
import type { CommandEntry } from "../command.ts";

export const networkCommands: readonly CommandEntry[] = [
  {
    name: "connect",
    summary: "Connect a container to a network",
    load: async () => (await import("./connect.ts")).command,
  },
  { name: "create", summary: "Create a network", load: async () => (await import("./create.ts")).command },
  {
    name: "disconnect",
    summary: "Disconnect a container from a network",
    load: async () => (await import("./disconnect.ts")).command,
  },
  {
    name: "inspect",
    summary: "Display detailed information on one or more networks",
    load: async () => (await import("./inspect.ts")).command,
  },
  {
    name: "ls",
    summary: "List networks",
    aliases: ["list"],
    shownAliases: ["network ls", "network list"],
    load: async () => (await import("./ls.ts")).command,
  },
  { name: "prune", summary: "Remove all unused networks", load: async () => (await import("./prune.ts")).command },
  {
    name: "rm",
    summary: "Remove one or more networks",
    aliases: ["remove"],
    shownAliases: ["network rm", "network remove"],
    load: async () => (await import("./rm.ts")).command,
  },
];
