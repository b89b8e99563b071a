/** `context rm`. */
import { CliError, defineCommand } from "../command.ts";
import { each } from "../each.ts";
import { flag } from "../flag-kinds.ts";
import { saveConfigValues } from "../save-config.ts";
import { ContextStore } from "./store.ts";

export const command = defineCommand({
  usage: "CONTEXT [CONTEXT...]",
  args: { min: 1 },
  flags: { force: flag.bool("Force the removal of a context in use", { short: "f" }) },
  run(context, flags, names) {
    const store = new ContextStore(context.config.directory);
    const { force } = flags.value;
    return each(
      names,
      async (name) => {
        if (name === "default") throw new CliError('context "default" cannot be removed');
        if (!store.has(name) && !force) throw new CliError(`context "${name}" does not exist`);
        if (name === context.contextName) {
          if (!force) throw new CliError(`context "${name}" is in use, set -f flag to force remove`);
          saveConfigValues(context.config.directory, ({ currentContext: _old, ...rest }) => rest);
        }
        store.remove(name);
        return name;
      },
      (line) => context.stdout.print(line),
      1,
    );
  },
});
