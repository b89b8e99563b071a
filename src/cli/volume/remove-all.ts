/** `rm` of Gantry's own nouns: each by itself, the failures told at the end. */
import { type Command, defineCommand } from "../command.ts";
import { each } from "../each.ts";

export function removeCommand(noun: string, path: (name: string) => string): Command {
  return defineCommand({
    usage: `${noun} [${noun}...]`,
    args: { min: 1 },
    flags: {},
    run: (context, _flags, names) =>
      each(
        names,
        async (name) => {
          await context.client.send("DELETE", path(name));
          return name;
        },
        (line) => context.stdout.print(line),
        1,
      ),
  });
}
