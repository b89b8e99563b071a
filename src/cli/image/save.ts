/** `save`, `image save`. */
import { CliError, defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { checkOutputPath, streamToFile } from "../output-file.ts";
import { platformFlag, platformJson } from "./platform.ts";

export const command = defineCommand({
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  args: { min: 1 },
  flags: {
    output: flag.string("Write to a file, instead of STDOUT", { short: "o" }),
    platform: platformFlag("Save only the given platform variant."),
  },
  async run(context, flags, names) {
    const { output } = flags.value;
    if (output === "" && context.stdout.isTerminal) {
      throw new CliError("cowardly refusing to save to a terminal. Use the -o flag or redirect");
    }
    if (output !== "") checkOutputPath(output, "failed to save image");
    const platform = platformJson(flags.value.platform);
    const stream = await context.client.stream("GET", "/images/get", {
      query: { names, ...(platform === undefined ? {} : { platform }) },
    });
    if (output === "") for await (const chunk of stream) await context.stdout.send(chunk);
    else await streamToFile(stream, output);
    return 0;
  },
});
