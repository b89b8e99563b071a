/** `container rm`. */
import { isStatus } from "../../api/client-error.ts";
import { defineCommand } from "../command.ts";
import { each } from "../each.ts";
import { describeError } from "../errors.ts";
import { flag } from "../flag-kinds.ts";
import { containerPath } from "./names.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  args: { min: 1 },
  flags: {
    force: flag.bool("Force the removal of a running container (uses SIGKILL)", { short: "f" }),
    link: flag.bool("Remove the specified link", { short: "l" }),
    volumes: flag.bool("Remove anonymous volumes associated with the container", { short: "v" }),
  },
  async run(context, flags, args) {
    const { force, link, volumes } = flags.value;
    const query = { force: force || undefined, link: link || undefined, v: volumes || undefined };
    const remove = async (name: string) => {
      const path = containerPath(name);
      try {
        await context.client.send("DELETE", path, { query });
        return name;
      } catch (error) {
        // With --force, what is not there is what was wanted.
        if (!force || !isStatus(error, 404)) throw error;
        context.stderr.print(describeError(error));
        return undefined;
      }
    };
    return each(args, remove, (line) => context.stdout.print(line));
  },
});
