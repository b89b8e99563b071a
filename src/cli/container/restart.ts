/** `container restart`. */
import { defineCommand } from "../command.ts";
import { stopFlags, stopOrRestart } from "./stop-restart.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  args: { min: 1 },
  flags: stopFlags,
  run: (context, flags, args) => stopOrRestart(context, "restart", flags, args),
});
