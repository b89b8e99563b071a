/**
 * pflag's command line rules: combined short flags, `--flag=value`, `--flag value`, `-ofoo`, optional values of booleans, `--`, and
 * stopping at the first positional argument where a command asks for it. The messages are pflag's own, because scripts and people know
 * them. Written here because no npm parser follows these rules.
 */
import { errorMessage } from "../base/errors.ts";
import { goQuote } from "../base/go-quote.ts";
import type { FlagSpec } from "./flag-kinds.ts";

// A spec of any value type: kinds are methods, so a record of specs of different types fits.
export type FlagSpecs = Record<string, FlagSpec<unknown>>;

export type FlagValues<S> = { readonly [K in keyof S]: S[K] extends FlagSpec<infer T> ? T : never };

/** The flags of one command line: `flags.value.force`, `flags.changed("force")`. */
export interface Flags<S> {
  readonly value: FlagValues<S>;
  /** Whether the flag stood on the command line. */
  changed(name: keyof S & string): boolean;
}

export interface ParseResult<S> {
  readonly flags: Flags<S>;
  readonly args: string[];
  /** `--help` or `-h` was given (and is not a flag of the command). */
  readonly help: boolean;
  /** Deprecation notices to print before the command runs. */
  readonly notices: string[];
}

/** A command line that breaks the flag rules; `message` is pflag's. */
export class FlagError extends Error {
  override readonly name = "FlagError";
}

/** Parses `argv`. `interspersed: false` stops at the first positional argument. Throws FlagError. */
export function parseFlags<S extends FlagSpecs>(
  specs: S,
  argv: readonly string[],
  options: { interspersed: boolean },
): ParseResult<S> {
  return new Parser(specs).parse(argv, options.interspersed);
}

class Parser<S extends FlagSpecs> {
  private readonly values: Record<string, unknown> = {};
  private readonly seen = new Set<string>();
  private readonly shorts = new Map<string, string>();
  private readonly notices: string[] = [];
  private readonly specs: S;
  private help = false;

  constructor(specs: S) {
    this.specs = specs;
    for (const [name, spec] of Object.entries(specs)) {
      this.values[name] = spec.initial;
      if (spec.short !== undefined) this.shorts.set(spec.short, name);
    }
  }

  parse(argv: readonly string[], interspersed: boolean): ParseResult<S> {
    const rest = [...argv];
    const args: string[] = [];
    while (rest.length > 0 && !this.help) {
      const word = rest.shift() ?? "";
      if (word.length < 2 || word[0] !== "-") {
        args.push(word);
        if (!interspersed) break;
      } else if (word === "--") {
        break;
      } else if (word.startsWith("--")) {
        this.long(word, rest);
      } else {
        this.shortGroup(word.slice(1), rest);
      }
    }
    args.push(...rest);
    const value = this.values as FlagValues<S>;
    const flags: Flags<S> = { value, changed: (name) => this.seen.has(name) };
    return { flags, args, help: this.help, notices: this.notices };
  }

  private long(word: string, rest: string[]): void {
    const body = word.slice(2);
    if (body === "" || body[0] === "-" || body[0] === "=") throw new FlagError(`bad flag syntax: ${word}`);
    const at = body.indexOf("=");
    const name = at < 0 ? body : body.slice(0, at);
    const spec = this.find(name);
    if (!spec) {
      if (name !== "help") throw new FlagError(`unknown flag: --${name}`);
      this.help = true;
      return;
    }
    const next = at >= 0 ? body.slice(at + 1) : (spec.kind.implied ?? rest.shift());
    if (next === undefined) throw new FlagError(`flag needs an argument: ${word}`);
    this.set(name, spec, next);
  }

  /** `-abc`: each letter a flag, until one takes the rest as its value. */
  private shortGroup(group: string, rest: string[]): void {
    let letters = group;
    while (letters !== "" && !this.help) {
      const letter = String.fromCodePoint(letters.codePointAt(0) ?? 0);
      const tail = letters.slice(letter.length);
      const name = this.shorts.get(letter);
      const spec = name === undefined ? undefined : this.specs[name];
      if (name === undefined || !spec) {
        if (letter !== "h") throw new FlagError(`unknown shorthand flag: '${letter}' in -${letters}`);
        this.notices.push("Flag shorthand -h has been deprecated, use --help");
        this.help = true;
        return;
      }
      if (spec.shortDeprecated !== undefined) {
        this.notices.push(`Flag shorthand -${letter} has been deprecated, ${spec.shortDeprecated}`);
      }
      const assigned = tail.length > 1 && tail[0] === "=";
      const implied = assigned ? undefined : spec.kind.implied;
      const value = implied ?? (assigned ? tail.slice(1) : tail !== "" ? tail : rest.shift());
      if (value === undefined) throw new FlagError(`flag needs an argument: '${letter}' in -${letters}`);
      this.set(name, spec, value);
      letters = implied === undefined ? "" : tail;
    }
  }

  private set(name: string, spec: FlagSpec<unknown>, text: string): void {
    const target = spec.aliasOf ?? name;
    try {
      this.values[target] = spec.kind.parse(text, this.values[target]);
    } catch (error) {
      const shown = spec.short === undefined ? `--${name}` : `-${spec.short}, --${name}`;
      throw new FlagError(`invalid argument ${goQuote(text)} for ${goQuote(shown)} flag: ${errorMessage(error)}`);
    }
    this.seen.add(target);
    this.values[name] = this.values[target];
    if (spec.deprecated !== undefined) this.notices.push(`Flag --${name} has been deprecated, ${spec.deprecated}`);
  }

  private find(name: string): FlagSpec<unknown> | undefined {
    return Object.hasOwn(this.specs, name) ? this.specs[name] : undefined;
  }
}
