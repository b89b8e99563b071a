/** The manifest commands. */
import type { CommandEntry } from "../command.ts";

export const manifestDescription = `The **docker manifest** command has subcommands for managing image manifests and
manifest lists. A manifest list allows you to use one name to refer to the same image
built for multiple architectures.

To see help for a subcommand, use:

    docker manifest CMD --help

For full details on using docker manifest lists, see the registry v2 specification.`;

export const manifestCommands: readonly CommandEntry[] = [
  {
    name: "annotate",
    summary: "Add additional information to a local image manifest",
    load: async () => (await import("./annotate.ts")).command,
  },
  {
    name: "create",
    summary: "Create a local manifest list for annotating and pushing to a registry",
    load: async () => (await import("./create.ts")).command,
  },
  {
    name: "inspect",
    summary: "Display an image manifest, or manifest list",
    load: async () => (await import("./inspect.ts")).command,
  },
  {
    name: "push",
    summary: "Push a manifest list to a repository",
    load: async () => (await import("./push.ts")).command,
  },
  {
    name: "rm",
    summary: "Delete one or more manifest lists from local storage",
    load: async () => (await import("./rm.ts")).command,
  },
];
