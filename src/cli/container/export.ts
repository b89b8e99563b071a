/** `container export`. */
import { CliError, defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { checkOutputPath, streamToFile } from "../output-file.ts";
import { containerPath } from "./names.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER",
  args: { min: 1, max: 1 },
  flags: { output: flag.string("Write to a file, instead of STDOUT", { short: "o" }) },
  async run(context, flags, [name = ""]) {
    const { output } = flags.value;
    if (output === "" && context.stdout.isTerminal) {
      throw new CliError("cowardly refusing to save to a terminal. Use the -o flag or redirect");
    }
    if (output !== "") checkOutputPath(output, "failed to export container");
    const stream = await context.client.stream("GET", `${containerPath(name)}/export`);
    if (output === "") for await (const chunk of stream) await context.stdout.send(chunk);
    else await streamToFile(stream, output);
    return 0;
  },
});
