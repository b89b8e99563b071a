/** `container kill`. */
import { defineCommand } from "../command.ts";
import { each } from "../each.ts";
import { flag } from "../flag-kinds.ts";
import { containerPath } from "./names.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  args: { min: 1 },
  flags: { signal: flag.string("Signal to send to the container", { short: "s" }) },
  run(context, flags, args) {
    const query = { signal: flags.value.signal || undefined };
    const kill = async (name: string) => {
      await context.client.send("POST", `${containerPath(name)}/kill`, { query });
      return name;
    };
    return each(args, kill, (line) => context.stdout.print(line));
  },
});
