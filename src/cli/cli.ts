/**
 * The command line's way: global flags → the entry of the command table → its module → its flags → `run`. Every error ends here and becomes
 * a message on stderr and an exit code, in the docker CLI's words.
 */
import { CliError, type Command, type CommandEntry, findEntry, useLine } from "./command.ts";
import { commandTable } from "./commands.ts";
import { defaultConfigDirectory, readConfigFile } from "./config-file.ts";
import { CliContext, cliVersion } from "./context.ts";
import { describeError } from "./errors.ts";
import { FlagError, type Flags, parseFlags } from "./flags.ts";
import { globalFlags } from "./global-flags.ts";
import { Output } from "./terminal/terminal.ts";

type Env = Record<string, string | undefined>;
type GlobalFlags = Flags<ReturnType<typeof globalFlags>>;

/** Runs one command line (without the program's name) and returns the exit code. Never throws. */
export async function cliMain(program: string, argv: readonly string[], env: Env): Promise<number> {
  const stderr = new Output(2);
  try {
    return await dispatch(program, argv, env);
  } catch (error) {
    const text = describeError(error);
    if (text !== "") stderr.print(text);
    return error instanceof CliError ? error.exitCode : 1;
  }
}

async function dispatch(program: string, argv: readonly string[], env: Env): Promise<number> {
  const specs = globalFlags(defaultConfigDirectory(env));
  let parsed: ReturnType<typeof parseFlags<typeof specs>>;
  try {
    parsed = parseFlags(specs, argv, { interspersed: false });
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    throw flagFailure(error, program, `${program} [OPTIONS] COMMAND [ARG...]`);
  }
  const { flags, args } = parsed;
  const context = makeContext(program, flags, env);
  for (const notice of parsed.notices) context.stderr.print(notice);
  const asksHelp = args[0] === "help";
  const words = asksHelp ? args.slice(1) : args;
  const foreign = words[0] !== undefined && findEntry(commandTable, words[0]) === undefined ? words[0] : undefined;
  if (foreign !== undefined) {
    const { runPlugin } = await import("./plugins/run-plugin.ts");
    const code = await runPlugin(context, argv, argv.length - words.length);
    if (code !== undefined) return code;
  }
  if (flags.value.version) {
    context.stdout.print(`${context.product} version ${cliVersion}`);
    return 0;
  }
  if (foreign !== undefined) return unknownWord(context, foreign, asksHelp ? undefined : words.slice(1));
  if (parsed.help || (asksHelp && words.length === 0)) return rootHelp(context, context.stdout);
  if (args.length === 0) return rootHelp(context, context.stderr);
  return runPath(context, asksHelp ? [...words, "--help"] : words);
}

function makeContext(program: string, flags: GlobalFlags, env: Env): CliContext {
  const { value } = flags;
  const level = value["log-level"];
  if (!["debug", "info", "warn", "warning", "error", "fatal", "panic", "trace"].includes(level)) {
    throw new CliError(`Unable to parse logging level: ${level}`);
  }
  const config = readConfigFile(value.config);
  const context = new CliContext({
    program,
    config,
    env,
    debug: value.debug,
    choice: {
      hosts: value.host,
      context: value.context,
      tls: value.tls || flags.changed("tlsverify"),
      tlsVerify: value.tlsverify,
      tlsCa: flags.changed("tlscacert") ? value.tlscacert : "",
      tlsCert: flags.changed("tlscert") ? value.tlscert : "",
      tlsKey: flags.changed("tlskey") ? value.tlskey : "",
    },
  });
  if (config.warning !== undefined) context.stderr.print(config.warning);
  return context;
}

async function rootHelp(context: CliContext, out: Output): Promise<number> {
  const { nounHelp } = await import("./usage.ts");
  const { listPlugins, pluginDirectories } = await import("./plugins/plugins.ts");
  const globals = globalFlags(context.config.directory);
  const plugins = await listPlugins(pluginDirectories(context.config));
  const summary = "A self-sufficient runtime for containers";
  out.write(nounHelp(context.program, summary, commandTable, helpColumns(context), { globals, plugins }));
  return 0;
}

/** Neither a command nor a plugin. Asked for help, docker shows its own. `rest` is undefined after `help`. */
function unknownWord(context: CliContext, word: string, rest: string[] | undefined): Promise<number> {
  if (rest === undefined) throw new CliError(`unknown help topic: ${word}`);
  const help = rest.find((option) => option === "--help" || option === "-h");
  if (help === undefined) throw unknownCommand(context.program, [], word);
  if (help === "-h") context.stdout.print("Flag shorthand -h has been deprecated, use --help");
  return rootHelp(context, context.stdout);
}

/** Walks the table along the words, then runs the command with the rest. */
async function runPath(context: CliContext, words: readonly string[]): Promise<number> {
  const { program } = context;
  const path: string[] = [];
  let entries = commandTable;
  let entry: CommandEntry | undefined;
  let rest = [...words];
  for (;;) {
    const word = rest[0];
    const found = word === undefined ? undefined : findEntry(entries, word);
    if (found) {
      entry = found;
      path.push(found.name);
      rest = rest.slice(1);
      if (!found.children) break;
      entries = found.children;
    } else if (entry && (word === undefined || word === "--help" || word === "-h")) {
      return nounUsage(context, entry, path, word !== undefined);
    } else if (entry && word?.startsWith("-")) {
      return parseNounFlags(program, path, rest);
    } else {
      throw unknownCommand(program, path, word ?? "");
    }
  }
  const command = await entry.load?.();
  if (!command) throw new CliError(`${program}: unknown command: ${program} ${path.join(" ")}`);
  context.commandPath = path;
  return runCommand(context, entry, command, rest);
}

async function nounUsage(context: CliContext, entry: CommandEntry, path: string[], asked: boolean): Promise<number> {
  const { nounHelp } = await import("./usage.ts");
  const fullPath = [context.program, ...path].join(" ");
  const text = nounHelp(fullPath, entry.description ?? entry.summary, entry.children ?? [], helpColumns(context));
  (asked ? context.stdout : context.stderr).write(text);
  return 0;
}

/** A noun has no flags but --help: whatever stands there is an error. */
function parseNounFlags(program: string, path: string[], rest: string[]): number {
  const fullPath = [program, ...path].join(" ");
  try {
    parseFlags({}, rest, { interspersed: false });
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    throw flagFailure(error, fullPath, fullPath);
  }
  return 0;
}

function unknownCommand(program: string, path: string[], word: string): CliError {
  const parent = [program, ...path].join(" ");
  const usage = path.length === 0 ? "" : `Usage:  ${parent}\n\n`;
  return new CliError(
    `${program}: unknown command: ${parent} ${word}\n\n${usage}Run '${parent} --help' for more information`,
  );
}

async function runCommand(context: CliContext, entry: CommandEntry, command: Command, argv: string[]): Promise<number> {
  const path = [context.program, ...context.commandPath].join(" ");
  const line = useLine(path, command);
  let parsed: ReturnType<typeof parseFlags<Command["flags"]>>;
  try {
    parsed = parseFlags(command.flags, argv, { interspersed: command.interspersed ?? true });
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    throw flagFailure(error, path, line);
  }
  for (const notice of parsed.notices) context.stderr.print(notice);
  const wantsHelp = parsed.help || ("help" in parsed.flags.value && parsed.flags.value["help"] === true);
  if (wantsHelp) {
    const { commandHelp } = await import("./usage.ts");
    context.stdout.write(commandHelp(path, context.program, entry, command, helpColumns(context)));
    return 0;
  }
  checkArgs(context.program, path, line, command, parsed.args.length);
  return command.run(context, parsed.flags, parsed.args);
}

function checkArgs(program: string, path: string, line: string, command: Command, count: number): void {
  const { min, max } = command.args;
  if (count >= min && (max === undefined || count <= max)) return;
  const plural = (n: number) => `${n} ${n === 1 ? "argument" : "arguments"}`;
  if (max === 0) {
    throw new CliError(
      `${program}: '${path}' accepts no arguments\n\nUsage:  ${line}\n\nRun '${path} --help' for more information`,
    );
  }
  let rule = `at least ${min} and at most ${plural(max ?? min)}`;
  if (max === undefined) rule = `at least ${plural(min)}`;
  else if (min === max) rule = plural(min);
  else if (min === 0) rule = `at most ${plural(max)}`;
  throw new CliError(
    `${program}: '${path}' requires ${rule}\n\nUsage:  ${line}\n\n${max === undefined ? "See" : "Run"} '${path} --help' for more information`,
  );
}

function flagFailure(error: FlagError, path: string, line: string): CliError {
  return new CliError(`${error.message}\n\nUsage:  ${line}\n\nRun '${path} --help' for more information`, 125);
}

function helpColumns(context: CliContext): number {
  return context.stdout.size()?.columns ?? 80;
}
