/** `context export`. */
import { existsSync, writeFileSync } from "node:fs";
import { CliError, defineCommand } from "../command.ts";
import { packContext } from "./archive.ts";
import { resolveContext } from "./docker-endpoint.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTEXT [FILE|-]",
  args: { min: 1, max: 2 },
  flags: {},
  async run(context, _flags, [name = "", file]) {
    const { meta, tls } = resolveContext(context, name);
    const archive = packContext(meta, tls);
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
