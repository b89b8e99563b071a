/** `container wait`. */
import type { WaitResponse } from "../../api/containers.ts";
import { CliError, defineCommand } from "../command.ts";
import { each } from "../each.ts";
import { containerPath } from "./names.ts";

export const command = defineCommand({
  usage: "CONTAINER [CONTAINER...]",
  args: { min: 1 },
  flags: {},
  run(context, _flags, args) {
    const wait = async (name: string) => {
      const result = await context.client.json<WaitResponse>("POST", `${containerPath(name)}/wait`);
      if (result.Error) throw new CliError(result.Error.Message);
      return String(result.StatusCode);
    };
    return each(args, wait, (line) => context.stdout.print(line), 1);
  },
});
