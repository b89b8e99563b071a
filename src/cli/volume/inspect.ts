/** `volume inspect`. */
import { defineCommand } from "../command.ts";
import { inspectFormat } from "../format/options.ts";
import { findVolume } from "../inspect/find.ts";
import { inspectAll } from "../inspect/inspector.ts";

export const command = defineCommand({
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  args: { min: 1 },
  flags: { format: inspectFormat },
  run(context, flags, names) {
    const find = findVolume(context);
    return inspectAll(context, names, flags.value.format, async (name) => ({
      ...(await find(name)),
      structOnly: true,
    }));
  },
});
