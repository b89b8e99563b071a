/** `volume export`. */
import { join } from "node:path";
import { CliError, defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { checkOutputPath, streamToFile } from "../output-file.ts";
import { archiveName, isDirectory } from "./archive-files.ts";
import { volumePath } from "./paths.ts";

export const command = defineCommand({
  usage: "[OPTIONS] VOLUME",
  args: { min: 1, max: 1 },
  description: "Write a volume as a tar archive. Containers that use it stand still while it is copied aside.",
  flags: { output: flag.string("Write to a file, or to a new one in a directory, instead of STDOUT", { short: "o" }) },
  async run(context, flags, [volume = ""]) {
    const { output } = flags.value;
    if (output === "" && context.stdout.isTerminal) {
      throw new CliError("cowardly refusing to save to a terminal. Use the -o flag or redirect");
    }
    const path = isDirectory(output) ? join(output, archiveName(volume, new Date())) : output;
    if (path !== "") checkOutputPath(path, "failed to export volume");
    const stream = await context.client.stream("GET", `${volumePath(volume)}/export`);
    if (path === "") for await (const chunk of stream) await context.stdout.send(chunk);
    else await streamToFile(stream, path);
    if (path !== output) context.stdout.print(path);
    return 0;
  },
});
