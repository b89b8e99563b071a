/** `volume import`. */
import type { Volume } from "../../api/volumes.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { openInput } from "../image/import.ts";
import { isDirectory, newestArchive } from "./archive-files.ts";
import { volumePath } from "./paths.ts";

export const command = defineCommand({
  usage: "[OPTIONS] FILE|DIRECTORY|- VOLUME",
  args: { min: 2, max: 2 },
  description:
    "Fill a volume from a tar archive of any compression: a file, the newest archive of the volume in a directory, or standard input. A volume that is not there is made.",
  flags: { replace: flag.bool("Overwrite the data of a volume") },
  async run(context, flags, [source = "", volume = ""]) {
    const path = source !== "-" && isDirectory(source) ? newestArchive(source, volume) : source;
    const made = await context.client.json<Volume>("POST", `${volumePath(volume)}/import`, {
      query: { replace: flags.value.replace || undefined },
      headers: { "Content-Type": "application/x-tar" },
      stream: path === "-" ? context.stdin.stream() : openInput(path),
    });
    context.stdout.print(made.Name);
    return 0;
  },
});
