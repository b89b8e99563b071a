/**
 * The command model. A module of one command exports `command = defineCommand({…})`; the table in `commands.ts` names it, with what help
 * shows, and loads the module only when it runs: start-up time is the product of this.
 */
import type { CliContext } from "./context.ts";
import type { FlagSpecs, Flags } from "./flags.ts";

/** How many positional arguments a command takes; `max` absent: any number. */
export interface ArgCount {
  readonly min: number;
  readonly max?: number;
}

export interface CommandDefinition<S extends FlagSpecs> {
  /** After the command path: `[OPTIONS] CONTAINER [CONTAINER...]`. `PROGRAM` in it stands for the program's name. */
  readonly usage: string;
  readonly args: ArgCount;
  readonly flags: S;
  /** False: the first positional argument ends the flags (run, create, exec, top). */
  readonly interspersed?: boolean;
  /** A longer description for help than the summary in the table. */
  readonly description?: string;
  /** Returns the exit code. Thrown errors are printed by `cli.ts` and exit 1, or a CliError's own code. */
  run(context: CliContext, flags: Flags<S>, args: string[]): Promise<number>;
}

/** A command whose flag types are forgotten, as the dispatcher sees it. */
export type Command = CommandDefinition<FlagSpecs>;

/** Keeps the flag types inside `run` and forgets them outside. */
export function defineCommand<S extends FlagSpecs>(definition: CommandDefinition<S>): Command {
  return definition as unknown as Command;
}

/** `docker rm [OPTIONS] CONTAINER [CONTAINER...]`; a further usage line names the program again. */
export function useLine(path: string, command: Command): string {
  const [program = ""] = path.split(" ");
  return command.usage === "" ? path : `${path} ${command.usage.replaceAll("PROGRAM ", `${program} `)}`;
}

/** Where top-level help lists an entry. */
export type CommandGroup = "common" | "management" | "swarm";

/** One line of the command table: a command (`load`) or a noun with commands of its own (`children`). */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** Of a noun: what its help says in place of the summary. */
  readonly description?: string;
  /** Other last words of the path: `["remove"]` for `container rm`. */
  readonly aliases?: readonly string[];
  /** The full list of paths help shows under "Aliases:", without the program's name: `["container run", "run"]`. */
  readonly shownAliases?: readonly string[];
  readonly group?: CommandGroup;
  /** Not in help. */
  readonly hidden?: boolean;
  readonly load?: () => Promise<Command>;
  readonly children?: readonly CommandEntry[];
}

/** Ends the program with a message (as it is, nothing added) and an exit code. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: number;

  constructor(message: string, exitCode = 1, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

export function findEntry(entries: readonly CommandEntry[], name: string): CommandEntry | undefined {
  return entries.find((entry) => entry.name === name || entry.aliases?.includes(name));
}
