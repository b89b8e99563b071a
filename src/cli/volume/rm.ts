/** `volume rm`. */
import { defineCommand } from "../command.ts";
import { each } from "../each.ts";
import { flag } from "../flag-kinds.ts";

export const command = defineCommand({
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  args: { min: 1 },
  description: "Remove one or more volumes. You cannot remove a volume that is in use by a container.",
  flags: { force: flag.bool("Force the removal of one or more volumes", { short: "f" }) },
  run: (context, flags, names) =>
    each(
      names,
      async (name) => {
        await context.client.send("DELETE", `/volumes/${encodeURIComponent(name)}`, {
          query: { force: flags.value.force || undefined },
        });
        return name;
      },
      (line) => context.stdout.print(line),
      1,
    ),
});
