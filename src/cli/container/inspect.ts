/** `container inspect`. */
import { defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { inspectFormat } from "../format/options.ts";
import { findContainer } from "../inspect/find.ts";
import { inspectAll } from "../inspect/inspector.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  args: { min: 1 },
  flags: {
    format: inspectFormat,
    size: flag.bool("Display total file sizes", { short: "s" }),
  },
  run: (context, flags, args) =>
    inspectAll(context, args, flags.value.format, findContainer(context, flags.value.size)),
});
