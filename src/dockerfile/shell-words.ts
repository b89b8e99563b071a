/**
 * Quotes, escapes and `$variables` in the words of Dockerfile instructions, as BuildKit's shell lexer treats them.
 * https://github.com/moby/buildkit/blob/master/frontend/dockerfile/shell/lex.go
 */
import { EngineError, invalidArgument } from "../base/errors.ts";
import { replacePattern, trimPattern } from "./shell-patterns.ts";

/** Value of a variable; undefined when it is not set. */
export type Lookup = (name: string) => string | undefined;

/** The character that takes the meaning off the next one: `# escape=` changes it. */
export type Escape = "\\" | "`";

/** One word: quotes removed, variables replaced. Throws when a quote or brace is open, in BuildKit's words. */
export function expandWord(word: string, lookup: Lookup, token: Escape = "\\"): string {
  return run(word, lookup, { escape: token }).text;
}

/** Variables replaced, quotes left as they are: the text of a heredoc. */
export function expandText(text: string, lookup: Lookup, token: Escape = "\\"): string {
  return run(text, lookup, { escape: token, rawQuotes: true }).text;
}

/** As `expandWord`, then split at white space that was not quoted. */
export function expandWords(word: string, lookup: Lookup, token: Escape = "\\"): string[] {
  return run(word, lookup, { escape: token }).words;
}

interface LexerOptions {
  escape: Escape;
  rawQuotes?: boolean;
}

function run(word: string, lookup: Lookup, options: LexerOptions): { text: string; words: string[] } {
  try {
    const lexer = new Lexer(word, lookup, options);
    const text = lexer.until(undefined);
    return { text, words: lexer.finish() };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw invalidArgument(`failed to process ${JSON.stringify(word)}: ${error.message}`, { cause: error });
  }
}

class Lexer {
  private readonly source: string[];
  private readonly lookup: Lookup;
  private readonly options: LexerOptions;
  private position = 0;
  private readonly words: string[] = [];
  private current = "";
  private started = false;

  constructor(source: string, lookup: Lookup, options: LexerOptions) {
    this.source = [...source];
    this.lookup = lookup;
    this.options = options;
  }

  /** Reads up to the given character (which is consumed), or to the end. */
  until(stop: string | undefined): string {
    let result = "";
    while (this.position < this.source.length) {
      const char = this.source[this.position] as string;
      if (char === stop) {
        this.position++;
        return result;
      }
      if (this.options.rawQuotes && (char === "'" || char === '"')) {
        this.position++;
        result += this.add(char);
      } else if (char === "'") result += this.add(this.singleQuoted());
      else if (char === '"') result += this.add(this.doubleQuoted());
      else if (char === "$") result += this.addSplit(this.variable());
      else if (char === this.options.escape) result += this.escaped();
      else {
        this.position++;
        result += this.addSplit(char);
      }
    }
    if (stop !== undefined) throw invalidArgument(`unexpected end of statement while looking for matching ${stop}`);
    return result;
  }

  finish(): string[] {
    this.endWord();
    return this.words;
  }

  private escaped(): string {
    this.position++;
    const next = this.source[this.position++];
    if (next === undefined) return "";
    // In a text only a variable needs to be escaped.
    return this.add(
      this.options.rawQuotes && next !== "$" && next !== this.options.escape ? this.options.escape + next : next,
    );
  }

  private singleQuoted(): string {
    let result = "";
    for (this.position++; ; ) {
      const char = this.source[this.position++];
      if (char === undefined) {
        throw invalidArgument("unexpected end of statement while looking for matching single-quote");
      }
      if (char === "'") return result;
      result += char;
    }
  }

  private doubleQuoted(): string {
    let result = "";
    for (this.position++; ; ) {
      const char = this.source[this.position];
      if (char === undefined) {
        throw invalidArgument("unexpected end of statement while looking for matching double-quote");
      }
      if (char === "$") {
        result += this.variable();
        continue;
      }
      this.position++;
      if (char === '"') return result;
      const token = this.options.escape;
      if (char !== token) {
        result += char;
        continue;
      }
      const next = this.source[this.position++];
      if (next === undefined) {
        throw invalidArgument("unexpected end of statement while looking for matching double-quote");
      }
      result += next === '"' || next === "$" || next === token ? next : token + next;
    }
  }

  /** At a `$`: a variable's value, or the `$` itself when no name follows. */
  private variable(): string {
    this.position++;
    if (this.source[this.position] !== "{") {
      const name = this.name();
      return name === "" ? "$" : (this.lookup(name) ?? "");
    }
    this.position++;
    const name = this.name();
    let operator = this.source[this.position++];
    if (operator === undefined) throw invalidArgument("syntax error: missing '}'");
    if (operator === "}") return this.lookup(name) ?? "";
    const nullIsUnset = operator === ":";
    if (nullIsUnset) operator = this.source[this.position++] ?? "";
    if (["-", "+", "?"].includes(operator)) return this.substitute(name, operator, nullIsUnset);
    if (!nullIsUnset && ["#", "%", "/"].includes(operator)) return this.pattern(name, operator);
    throw invalidArgument(`unsupported modifier (${nullIsUnset ? ":" : ""}${operator}) in substitution`);
  }

  private pattern(name: string, operator: string): string {
    const doubled = this.source[this.position] === operator;
    if (doubled) this.position++;
    const value = this.lookup(name) ?? "";
    if (operator !== "/")
      return trimPattern(value, (doubled ? operator + operator : operator) as "#", this.rawUntil("}"));
    const pattern = this.rawUntil("/");
    return replacePattern(value, pattern, this.nested(), doubled);
  }

  /** Up to the character, escapes kept: they belong to the pattern. */
  private rawUntil(stop: string): string {
    let raw = "";
    for (;;) {
      const char = this.source[this.position++];
      if (char === undefined) throw invalidArgument("syntax error: missing '}'");
      if (char === stop) return raw;
      raw += char === this.options.escape ? char + (this.source[this.position++] ?? "") : char;
    }
  }

  private substitute(name: string, operator: string, nullIsUnset: boolean): string {
    const word = this.nested();
    const value = this.lookup(name);
    const set = value !== undefined && !(nullIsUnset && value === "");
    if (operator === "-") return set ? (value as string) : word;
    if (operator === "+") return set ? word : "";
    if (!set) {
      const reason = word || (nullIsUnset ? "is not allowed to be empty" : "is not allowed to be unset");
      throw invalidArgument(`${name}: ${reason}`);
    }
    return value as string;
  }

  /** The word of a `${x:-word}`: it may hold variables of its own. */
  private nested(): string {
    const inner = new Lexer("", this.lookup, this.options);
    inner.source.push(...this.source.slice(this.position));
    try {
      const word = inner.until("}");
      this.position += inner.position;
      return word;
    } catch (error) {
      if (inner.position >= inner.source.length) throw invalidArgument("syntax error: missing '}'");
      throw error;
    }
  }

  private name(): string {
    const first = this.source[this.position] ?? "";
    if (/[0-9@*#!?$-]/.test(first)) {
      this.position++;
      return first;
    }
    let name = "";
    while (/[A-Za-z0-9_]/.test(this.source[this.position] ?? "")) name += this.source[this.position++];
    return name;
  }

  private add(text: string): string {
    this.current += text;
    this.started = true;
    return text;
  }

  private addSplit(text: string): string {
    for (const char of text) {
      if (/\s/.test(char)) this.endWord();
      else this.add(char);
    }
    return text;
  }

  private endWord(): void {
    if (this.started) this.words.push(this.current);
    this.current = "";
    this.started = false;
  }
}
