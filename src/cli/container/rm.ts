/** `container rm`: removes containers, printing each name; errors of some do not stop the others. */
import { isStatus } from "../../api/client-error.ts";
import { CliError, defineCommand } from "../command.ts";
import { each } from "../each.ts";
import { describeError } from "../errors.ts";
import { flag } from "../flag-kinds.ts";

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
    return each(args, async (name) => {
      const container = name.replace(/^\/+|\/+$/g, "");
      if (container === "") throw new CliError("container name cannot be empty");
      try {
        await context.client.send("DELETE", `/containers/${encodeURIComponent(container)}`, {
          query: { force: force || undefined, link: link || undefined, v: volumes || undefined },
        });
      } catch (error) {
        if (!(force && isStatus(error, 404))) throw error;
        context.stderr.print(describeError(error));
        return;
      }
      context.stdout.print(name);
    });
  },
});
