/** The command table: every name, its line in help, and where its code is. Order within a help group is that of the docker CLI. */
import type { CommandEntry } from "./command.ts";
import { containerCommands, topLevel } from "./container/table.ts";
import { contextCommands } from "./context/table.ts";
import { imageCommands, topImage } from "./image/table.ts";
import { manifestCommands, manifestDescription } from "./manifest/table.ts";
import { networkCommands } from "./network/table.ts";
import { systemCommands, topSystem } from "./system/table.ts";
import { volumeCommands } from "./volume/table.ts";

const list: CommandEntry = {
  name: "ls",
  summary: "List containers",
  aliases: ["ps", "list"],
  shownAliases: ["container ls", "container list", "container ps", "ps"],
  load: async () => (await import("./container/ls.ts")).command,
};

const inspectContainer: CommandEntry = {
  name: "inspect",
  summary: "Display detailed information on one or more containers",
  load: async () => (await import("./container/inspect.ts")).command,
};

const completion = (shell: string): CommandEntry => ({
  name: shell,
  summary: `Generate the autocompletion script for ${shell}`,
  load: async () => (await import("./completion/scripts.ts")).completionCommand(shell),
});

export const commandTable: readonly CommandEntry[] = [
  topLevel("run", "common"),
  topLevel("exec", "common"),
  {
    name: "ps",
    summary: list.summary,
    group: "common",
    shownAliases: list.shownAliases ?? [],
    ...(list.load ? { load: list.load } : {}),
  },
  topImage("build", "build", "common"),
  topImage("pull", "pull", "common"),
  topImage("push", "push", "common"),
  topImage("ls", "images", "common"),
  {
    name: "login",
    summary: "Authenticate to a registry",
    group: "common",
    load: async () => (await import("./registry/login.ts")).command,
  },
  {
    name: "logout",
    summary: "Log out from a registry",
    group: "common",
    load: async () => (await import("./registry/logout.ts")).command,
  },
  {
    name: "search",
    summary: "Search Docker Hub for images",
    group: "common",
    load: async () => (await import("./registry/search.ts")).command,
  },
  {
    name: "version",
    summary: "Show the Docker version information",
    group: "common",
    load: async () => (await import("./system/version.ts")).command,
  },
  topSystem("info", "common"),
  { name: "container", summary: "Manage containers", children: [...containerCommands, list, inspectContainer] },
  { name: "context", summary: "Manage contexts", children: contextCommands },
  { name: "image", summary: "Manage images", children: imageCommands },
  {
    name: "manifest",
    summary: "Manage Docker image manifests and manifest lists",
    description: manifestDescription,
    children: manifestCommands,
  },
  { name: "network", summary: "Manage networks", children: networkCommands },
  { name: "system", summary: "Manage Docker", children: systemCommands },
  { name: "volume", summary: "Manage volumes", children: volumeCommands },
  {
    name: "completion",
    summary: "Generate the autocompletion script for the specified shell",
    hidden: true,
    children: ["bash", "fish", "zsh"].map(completion),
  },
  {
    name: "__complete",
    summary: "Candidates for the shell's completion",
    hidden: true,
    load: async () => (await import("./completion/complete.ts")).command,
  },
  topLevel("attach"),
  topLevel("commit"),
  topLevel("cp"),
  topLevel("create"),
  topLevel("diff"),
  topSystem("events"),
  topLevel("export"),
  topImage("history"),
  topImage("import"),
  {
    name: "inspect",
    summary: "Return low-level information on Docker objects",
    load: async () => (await import("./inspect/inspect.ts")).command,
  },
  topLevel("kill"),
  topImage("load"),
  topLevel("logs"),
  topLevel("pause"),
  topLevel("port"),
  topLevel("rename"),
  topLevel("restart"),
  topLevel("rm"),
  topImage("rm", "rmi"),
  topImage("save"),
  topLevel("start"),
  topLevel("stats"),
  topLevel("stop"),
  topImage("tag"),
  topLevel("top"),
  topLevel("unpause"),
  topLevel("update"),
  topLevel("wait"),
];
