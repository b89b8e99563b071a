/** `context import`. */
import { readFileSync } from "node:fs";
import { collect } from "../../base/streams.ts";
import { CliError, defineCommand } from "../command.ts";
import { openFailure } from "../paths.ts";
import { unpackContext } from "./archive.ts";
import { ContextStore, checkContextName } from "./store.ts";

/** Docker's own limit on such archives. */
const maxArchive = 10 << 20;

export const command = defineCommand({
  usage: "CONTEXT FILE|-",
  args: { min: 2, max: 2 },
  flags: {},
  async run(context, _flags, [name = "", file = ""]) {
    checkContextName(name);
    const store = new ContextStore(context.config.directory);
    if (store.has(name)) throw new CliError(`context "${name}" already exists`);
    const archive = file === "-" ? await collect(context.stdin.stream(), maxArchive) : readArchive(file);
    const { meta, tls } = unpackContext(archive);
    store.put({ ...meta, Name: name }, tls);
    context.stdout.print(name);
    context.stderr.print(`Successfully imported context "${name}"`);
    return 0;
  },
});

function readArchive(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw openFailure(path, error);
  }
}
