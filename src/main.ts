/**
 * The program's entry: `gantry COMMAND` is the CLI, `gantry daemon` the engine, `gantry registry` an image registry, and a hidden verb
 * (`__…`) a piece of work that the engine runs in a child process of this same executable. Everything is loaded on demand: nothing here
 * may cost start-up time.
 */

/** Hidden verbs. Each gets the rest of the command line and returns the exit code. */
const internalVerbs: Record<string, () => Promise<(argv: string[]) => Promise<number>>> = {
  __archive: async () => (await import("./archive/processes/child.ts")).archiveMain,
  __build: async () => (await import("./builder/child.ts")).buildMain,
  __volume: async () => (await import("./engine/volumes/drivers/child.ts")).volumeMain,
  __snapshot: async () => (await import("./snapshots/child.ts")).snapshotMain,
};

async function main(argv: string[]): Promise<number> {
  const [verb = "", ...rest] = argv;
  const internal = verb.startsWith("__") ? internalVerbs[verb] : undefined;
  if (internal) return (await internal())(rest);
  if (verb === "daemon") return (await import("./daemon.ts")).daemonMain(rest);
  if (verb === "registry") return (await import("./registry/main.ts")).registryMain(rest);
  const { cliMain } = await import("./cli/cli.ts");
  return cliMain(programName(), argv, process.env);
}

/** `docker` when started under that name, for instance through a symbolic link; else `gantry`. */
function programName(): string {
  const name = process.env["GANTRY_PROGRAM_NAME"] ?? process.argv0;
  return /(^|\/)docker$/.test(name) ? "docker" : "gantry";
}

// No top-level await: it would rule out the byte code that `bun build --bytecode` makes for a quicker start.
main(process.argv.slice(2)).then((code) => process.exit(code));
