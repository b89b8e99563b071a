/** The image commands, as `image X` and under their old top-level names. */
import { type CommandEntry, type CommandGroup, findEntry } from "../command.ts";

const entry = (
  name: string,
  summary: string,
  paths: string,
  load: NonNullable<CommandEntry["load"]>,
  aliases?: string[],
) => ({
  name,
  summary,
  load,
  ...(paths === "" ? {} : { shownAliases: paths.split(", ") }),
  ...(aliases ? { aliases } : {}),
});

export const imageCommands: readonly CommandEntry[] = [
  entry(
    "build",
    "Build an image from a Dockerfile",
    "image build, build",
    async () => (await import("../build/build.ts")).command,
  ),
  entry(
    "history",
    "Show the history of an image",
    "image history, history",
    async () => (await import("./history.ts")).command,
  ),
  entry(
    "import",
    "Import the contents from a tarball to create a filesystem image",
    "image import, import",
    async () => (await import("./import.ts")).command,
  ),
  entry(
    "inspect",
    "Display detailed information on one or more images",
    "",
    async () => (await import("./inspect.ts")).command,
  ),
  entry(
    "load",
    "Load an image from a tar archive or STDIN",
    "image load, load",
    async () => (await import("./load.ts")).command,
  ),
  entry("ls", "List images", "image ls, image list, images", async () => (await import("./ls.ts")).command, ["list"]),
  entry("prune", "Remove unused images", "", async () => (await import("./prune.ts")).command),
  entry(
    "pull",
    "Download an image from a registry",
    "image pull, pull",
    async () => (await import("./pull.ts")).command,
  ),
  entry("push", "Upload an image to a registry", "image push, push", async () => (await import("./push.ts")).command),
  entry(
    "rm",
    "Remove one or more images",
    "image rm, image remove, rmi",
    async () => (await import("./rm.ts")).command,
    ["remove"],
  ),
  entry(
    "save",
    "Save one or more images to a tar archive (streamed to STDOUT by default)",
    "image save, save",
    async () => (await import("./save.ts")).command,
  ),
  entry(
    "tag",
    "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    "image tag, tag",
    async () => (await import("./tag.ts")).command,
  ),
];

/** The entry of `image NAME` under a top-level name. */
export function topImage(name: string, as = name, group?: CommandGroup): CommandEntry {
  const found = findEntry(imageCommands, name);
  if (!found) throw new Error(`no image command ${name}`);
  const { aliases: _aliases, ...rest } = found;
  return { ...rest, name: as, ...(group ? { group } : {}) };
}
