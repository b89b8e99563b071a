/** `network rm`. */
import { isStatus } from "../../api/client-error.ts";
import { CliError, defineCommand } from "../command.ts";
import { describeError } from "../errors.ts";
import { flag } from "../flag-kinds.ts";

export const command = defineCommand({
  usage: "NETWORK [NETWORK...]",
  args: { min: 1 },
  flags: { force: flag.bool("Do not error if the network does not exist", { short: "f" }) },
  async run(context, flags, names) {
    let failed = false;
    for (const name of names) {
      try {
        await context.client.send("DELETE", `/networks/${encodeURIComponent(name)}`);
        context.stdout.print(name);
      } catch (error) {
        if (flags.value.force && isStatus(error, 404)) continue;
        context.stderr.print(describeError(error));
        failed = true;
      }
    }
    if (failed) throw new CliError("exit status 1");
    return 0;
  },
});
