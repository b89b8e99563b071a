/** What `stop` and `restart` share: a signal and a grace period. */
import { CliError } from "../command.ts";
import type { CliContext } from "../context.ts";
import { each } from "../each.ts";
import { flag } from "../flag-kinds.ts";
import type { Flags } from "../flags.ts";
import { containerPath } from "./names.ts";

export const stopFlags = {
  signal: flag.string("Signal to send to the container", { short: "s" }),
  timeout: flag.int("Seconds to wait before killing the container", { short: "t" }),
  time: flag.int("Seconds to wait before killing the container", { deprecated: "use --timeout instead" }),
};

export function stopOrRestart(
  context: CliContext,
  verb: "stop" | "restart",
  flags: Flags<typeof stopFlags>,
  names: string[],
): Promise<number> {
  const { signal, time, timeout } = flags.value;
  if (flags.changed("time") && flags.changed("timeout")) {
    throw new CliError("conflicting options: cannot specify both --timeout and --time");
  }
  const given = flags.changed("timeout") ? timeout : flags.changed("time") ? time : undefined;
  const query = { signal: signal || undefined, t: given };
  const act = async (name: string) => {
    await context.client.send("POST", `${containerPath(name)}/${verb}`, { query });
    return name;
  };
  return each(names, act, (line) => context.stdout.print(line));
}
