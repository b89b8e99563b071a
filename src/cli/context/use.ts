/** `context use`. */
import { defineCommand } from "../command.ts";
import { saveConfigValues } from "../save-config.ts";
import { ContextStore } from "./store.ts";

export const command = defineCommand({
  usage: "CONTEXT",
  args: { min: 1, max: 1 },
  flags: {},
  async run(context, _flags, [name = ""]) {
    if (name !== "default") new ContextStore(context.config.directory).get(name);
    if ((context.config.values.currentContext ?? "default") !== name) {
      saveConfigValues(context.config.directory, ({ currentContext: _old, ...rest }) =>
        name === "default" ? rest : { ...rest, currentContext: name },
      );
    }
    context.stdout.print(name);
    context.stderr.print(`Current context is now "${name}"`);
    if (name !== "default" && context.env["DOCKER_HOST"]) {
      context.stderr.print(
        "Warning: DOCKER_HOST environment variable overrides the active context. " +
          `To use "${name}", either set the global --context flag, or unset DOCKER_HOST environment variable.`,
      );
    }
    return 0;
  },
});
