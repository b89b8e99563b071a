/** `container rename`. */
import { CliError, defineCommand } from "../command.ts";
import { describeError } from "../errors.ts";
import { containerPath } from "./names.ts";

export const command = defineCommand({
  usage: "CONTAINER NEW_NAME",
  args: { min: 2, max: 2 },
  flags: {},
  async run(context, _flags, args) {
    const [from = "", to = ""] = args.map((name) => name.trim());
    if (from === "" || to === "") throw new CliError("Error: Neither old nor new names may be empty");
    try {
      await context.client.send("POST", `${containerPath(from)}/rename`, { query: { name: to } });
    } catch (error) {
      context.stderr.print(describeError(error));
      throw new CliError(`Error: failed to rename container named ${from}`, 1, { cause: error });
    }
    return 0;
  },
});
