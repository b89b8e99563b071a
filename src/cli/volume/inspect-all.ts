/** `inspect` of Gantry's own nouns: the daemon's JSON, or a template over it. */
import { type Command, defineCommand } from "../command.ts";
import { inspectFormat } from "../format/options.ts";
import { anyType } from "../format/template/go-type.ts";
import { inspectAll } from "../inspect/inspector.ts";

export function inspectCommand(noun: string, path: (name: string) => string): Command {
  return defineCommand({
    usage: `[OPTIONS] ${noun} [${noun}...]`,
    args: { min: 1 },
    flags: { format: inspectFormat },
    run: (context, flags, names) =>
      inspectAll(context, names, flags.value.format, async (name) => {
        const response = await context.client.request("GET", path(name));
        return { text: (await response.text()).trim(), type: anyType };
      }),
  });
}
