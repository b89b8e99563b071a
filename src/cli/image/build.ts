/** `build`: not in this version. Says so, rather than accept what it would not do. */
import { CliError, defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";

export const command = defineCommand({
  usage: "[OPTIONS] PATH | URL | -",
  args: { min: 0 },
  flags: {
    file: flag.string("Name of the Dockerfile (Default is 'PATH/Dockerfile')", { short: "f" }),
    tag: flag.list("Name and optionally a tag in the 'name:tag' format", { short: "t" }),
  },
  run: async (context) => {
    throw new CliError(`${context.program} build is not supported yet`);
  },
});
