/** `context show`. */
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  usage: "",
  args: { min: 0, max: 0 },
  flags: {},
  async run(context) {
    context.stdout.print(context.contextName);
    return 0;
  },
});
