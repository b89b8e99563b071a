/** `context export`. */
import { existsSync, writeFileSync } from "node:fs";
import { CliError, defineCommand } from "../command.ts";
import { packContext } from "./archive.ts";
import { ContextStore } from "./store.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTEXT [FILE|-]",
  args: { min: 1, max: 2 },
  flags: {},
  async run(context, _flags, [name = "", file]) {
    if (name === "default") throw new CliError('"default" is a reserved context name');
    const store = new ContextStore(context.config.directory);
    const archive = packContext(store.get(name), store.tls(name));
    const target = file ?? `${name}.dockercontext`;
    if (target === "-") {
      if (context.stdout.isTerminal)
        throw new CliError("cowardly refusing to export to a terminal, specify a file path");
      context.stdout.write(archive);
      return 0;
    }
    if (existsSync(target)) throw new CliError(`open ${target}: file exists`);
    writeFileSync(target, archive, { mode: 0o600 });
    context.stderr.print(`Written file "${target}"`);
    return 0;
  },
});
