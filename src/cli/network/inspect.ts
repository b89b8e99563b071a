/** `network inspect`. */
import { defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { inspectFormat } from "../format/options.ts";
import { findNetwork } from "../inspect/find.ts";
import { inspectAll } from "../inspect/inspector.ts";

export const command = defineCommand({
  usage: "[OPTIONS] NETWORK [NETWORK...]",
  args: { min: 1 },
  flags: { format: inspectFormat, verbose: flag.bool("Verbose output for diagnostics", { short: "v" }) },
  run(context, flags, names) {
    const query = flags.value.verbose ? { verbose: "true" } : {};
    return inspectAll(context, names, flags.value.format, findNetwork(context, query));
  },
});
