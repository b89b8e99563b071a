/** Reads the daemon's command line, as dockerd's own parser does (pflag). Throws OptionError with its words. */
import { OptionError } from "./option-kinds.ts";
import { type Option, options } from "./options.ts";

/** Values by option, of those that are given. */
export type Values = Map<Option, unknown>;

export function parseFlags(argv: readonly string[]): Values {
  const values: Values = new Map();
  const rest = [...argv];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word.startsWith("--") && word.length > 2) readLong(word.slice(2), rest, values);
    else if (word.startsWith("-") && word !== "-" && word !== "--") readShort(word.slice(1), rest, values);
    else throw new OptionError(`"gantry daemon" accepts no arguments`);
  }
  return values;
}

function readLong(word: string, rest: string[], values: Values): void {
  const equals = word.indexOf("=");
  const name = equals < 0 ? word : word.slice(0, equals);
  const option = options.find(({ flag }) => flag === name);
  if (!option) throw new OptionError(`unknown flag: --${name}`);
  if (equals >= 0) set(option, word.slice(equals + 1), values);
  else if (option.kind.switch) set(option, "true", values);
  else set(option, argument(rest, `--${name}`), values);
}

/** `-D`, `-H unix:///x`, `-Hunix:///x`, `-H=unix:///x`, `-Dl debug`. */
function readShort(word: string, rest: string[], values: Values): void {
  const letter = word[0] as string;
  const option = options.find(({ short }) => short === letter);
  if (!option) throw new OptionError(`unknown shorthand flag: '${letter}' in -${word}`);
  const more = word.slice(1);
  if (more.startsWith("=")) set(option, more.slice(1), values);
  else if (option.kind.switch) {
    set(option, "true", values);
    if (more !== "") readShort(more, rest, values);
  } else set(option, more === "" ? argument(rest, `'${letter}' in -${word}`) : more, values);
}

function argument(rest: string[], name: string): string {
  const value = rest.shift();
  if (value === undefined) throw new OptionError(`flag needs an argument: ${name}`);
  return value;
}

function set(option: Option, text: string, values: Values): void {
  const name = `${option.short ? `-${option.short}, ` : ""}--${option.flag}`;
  try {
    values.set(option, option.kind.fromFlag(text, values.get(option)));
  } catch (cause) {
    if (!(cause instanceof OptionError)) throw cause;
    throw new OptionError(`invalid argument ${JSON.stringify(text)} for "${name}" flag: ${cause.message}`, { cause });
  }
}
