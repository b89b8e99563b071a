/** `container unpause`. */
import { defineCommand } from "../command.ts";
import { each } from "../each.ts";
import { containerPath } from "./names.ts";

export const command = defineCommand({
  usage: "CONTAINER [CONTAINER...]",
  args: { min: 1 },
  flags: {},
  run(context, _flags, args) {
    const unpause = async (name: string) => {
      await context.client.send("POST", `${containerPath(name)}/unpause`);
      return name;
    };
    return each(args, unpause, (line) => context.stdout.print(line));
  },
});
