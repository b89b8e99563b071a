/** `container pause`. */
import { defineCommand } from "../command.ts";
import { each } from "../each.ts";
import { containerPath } from "./names.ts";

export const command = defineCommand({
  usage: "CONTAINER [CONTAINER...]",
  args: { min: 1 },
  flags: {},
  run(context, _flags, args) {
    const pause = async (name: string) => {
      await context.client.send("POST", `${containerPath(name)}/pause`);
      return name;
    };
    return each(args, pause, (line) => context.stdout.print(line));
  },
});
