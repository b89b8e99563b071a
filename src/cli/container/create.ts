/** `container create`: everything of `run` but the start. */
import { defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { configFlags, createFlags } from "./create/config-flags.ts";
import { bodyFromFlags, createContainer } from "./create/create-container.ts";

export const command = defineCommand({
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  args: { min: 1 },
  interspersed: false,
  flags: {
    ...configFlags,
    ...createFlags,
    pull: flag.stringWith("missing", 'Pull image before creating ("always", "|missing", "never")'),
  },
  async run(context, flags, args) {
    const body = bodyFromFlags(context, flags, args);
    context.stdout.print(await createContainer(context, flags, body));
    return 0;
  },
});
