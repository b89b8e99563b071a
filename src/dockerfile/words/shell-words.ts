/**
 * Quotes, escapes and `$variables` in the words of Dockerfile instructions, as BuildKit's shell lexer treats them.
 * https://github.com/moby/buildkit/blob/master/frontend/dockerfile/shell/lex.go
 */
import { EngineError, invalidArgument } from "../../base/errors.ts";
import { replacePattern, trimPattern } from "./shell-patterns.ts";

/** Value of a variable; undefined when it is not set. */
export type Lookup = (name: string) => string | undefined;

/** The character that takes the meaning off the next one: `# escape=` changes it. */
export type Escape = "\\" | "`";

export interface LexerOptions {
  escape: Escape;
  /** Quotes still say what belongs together, and stay in the result. */
  keepQuotes?: boolean;
  /** Quotes are characters like all others. */
  ignoreQuotes?: boolean;
  /** Escape characters stay in the result. */
  keepEscapes?: boolean;
  /** Variables that are not set stay as they are. */
  keepUnset?: boolean;
}

export interface Lexed {
  text: string;
  /** The text split at white space that was neither quoted nor escaped; empty words are left out. */
  words: string[];
}

/** One word: quotes removed, variables replaced. Throws when a quote or brace is open, in BuildKit's words. */
export function expandWord(word: string, lookup: Lookup, token: Escape = "\\"): string {
  return lex(word, lookup, { escape: token }).text;
}

/** The body of a heredoc: variables replaced and escapes removed, quotes left alone. `# escape=` means nothing in it. */
export function expandText(text: string, lookup: Lookup): string {
  return lex(text, lookup, { escape: "\\", ignoreQuotes: true }).text;
}

/** As `expandWord`, then split at white space that was not quoted. */
export function expandWords(word: string, lookup: Lookup, token: Escape = "\\"): string[] {
  return lex(word, lookup, { escape: token }).words;
}

export function lex(word: string, lookup: Lookup, options: LexerOptions): Lexed {
  try {
    return new Lexer(word, lookup, options).until(undefined, options.keepEscapes === true);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw invalidArgument(`failed to process ${JSON.stringify(word)}: ${error.message}`, { cause: error });
  }
}

/** What Go's scanner gives at the end of the text, when it is printed. */
const endOfText = "\uFFFD";

class Lexer {
  private readonly source: readonly string[];
  private readonly lookup: Lookup;
  private readonly options: LexerOptions;
  private keepEscapes = false;
  private position = 0;

  constructor(source: string, lookup: Lookup, options: LexerOptions) {
    this.source = [...source];
    this.lookup = lookup;
    this.options = options;
  }

  /** Reads up to the given character (which is consumed), or to the end. */
  until(stop: string | undefined, keepEscapes: boolean): Lexed {
    const outer = this.keepEscapes;
    this.keepEscapes = keepEscapes;
    const words = new Words();
    let text = "";
    for (;;) {
      const char = this.peek();
      if (char === undefined || char === stop) break;
      const quoted = !this.options.ignoreQuotes && (char === "'" || char === '"');
      let part: string;
      if (quoted) {
        part = char === "'" ? this.singleQuoted() : this.doubleQuoted();
        words.add(part);
      } else if (char === "$") {
        part = this.variable();
        words.addAndSplit(part);
      } else if (char === this.options.escape) {
        part = this.escaped();
        words.add(part);
      } else {
        part = this.next() as string;
        words.addAndSplit(part);
      }
      text += part;
    }
    if (stop !== undefined && this.next() === undefined) {
      throw invalidArgument(`unexpected end of statement while looking for matching ${stop}`);
    }
    this.keepEscapes = outer;
    return { text, words: words.finish() };
  }

  private peek(): string | undefined {
    return this.source[this.position];
  }

  private next(): string | undefined {
    return this.source[this.position++];
  }

  /** At an escape character: it and the next one. Alone at the end it means nothing. */
  private escaped(): string {
    const token = this.next() as string;
    return (this.keepEscapes ? token : "") + (this.next() ?? "");
  }

  private singleQuoted(): string {
    const quote = this.options.keepQuotes ? "'" : "";
    this.next();
    let text = "";
    for (;;) {
      const char = this.next();
      if (char === undefined) throw unclosed("single-quote");
      if (char === "'") return quote + text + quote;
      text += char;
    }
  }

  private doubleQuoted(): string {
    const quote = this.options.keepQuotes ? '"' : "";
    const { escape: token } = this.options;
    this.next();
    let text = "";
    for (;;) {
      const char = this.peek();
      if (char === undefined) throw unclosed("double-quote");
      if (char === "$") {
        text += this.variable();
        continue;
      }
      this.next();
      if (char === '"') return quote + text + quote;
      if (char === token) {
        if (this.keepEscapes) text += token;
        const next = this.peek();
        // Before any other character it stands for itself.
        if (next === '"' || next === "$" || next === token) text += this.next();
        else if (next !== undefined) text += token;
      } else text += char;
    }
  }

  /** At a `$`: a variable's value, or the `$` itself when no name follows. */
  private variable(): string {
    this.next();
    if (this.peek() !== "{") {
      const name = this.name();
      return name === "" ? "$" : this.value(name, `$${name}`);
    }
    this.next();
    const first = this.peek();
    if (first === undefined) throw missing("}");
    if (first === "{" || first === "}" || first === ":") throw invalidArgument("syntax error: bad substitution");
    const name = this.name();
    const operator = this.next() ?? endOfText;
    switch (operator) {
      case "}":
        return this.value(name, `\${${name}}`);
      case ":":
        return this.substitute(name, this.next() ?? endOfText, true);
      case "-":
      case "+":
      case "?":
        return this.substitute(name, operator, false);
      case "#":
      case "%":
        return this.trim(name, operator);
      case "/":
        return this.replace(name);
      default:
        throw unsupported(operator);
    }
  }

  private value(name: string, asWritten: string): string {
    return this.lookup(name) ?? (this.options.keepUnset ? asWritten : "");
  }

  private substitute(name: string, operator: string, emptyIsUnset: boolean): string {
    const shown = (emptyIsUnset ? ":" : "") + operator;
    if (operator === "#" || operator === "%") throw unsupported(shown);
    const word = this.nested("}", false);
    const value = this.lookup(name);
    if (value === undefined && this.options.keepUnset) return `\${${name}${shown}${word}}`;
    const set = value !== undefined && !(emptyIsUnset && value === "");
    if (operator === "-") return set ? value : word;
    if (operator === "+") return set ? word : "";
    if (operator !== "?") throw unsupported(shown);
    if (set) return value;
    const reason = value === undefined ? "is not allowed to be unset" : "is not allowed to be empty";
    throw invalidArgument(`${name}: ${word || reason}`);
  }

  private trim(name: string, operator: "#" | "%"): string {
    const word = this.nested("}", true);
    const value = this.lookup(name);
    if (value === undefined && this.options.keepUnset) return `\${${name}${operator}${word}}`;
    const longest = word.startsWith(operator);
    return trimPattern(value ?? "", longest ? word.slice(1) : word, { atStart: operator === "#", longest });
  }

  private replace(name: string): string {
    const all = this.peek() === "/";
    if (all) this.next();
    const pattern = this.nested("/", true, missing("/", " in \u0024{}"));
    const replacement = this.nested("}", true);
    const value = this.lookup(name);
    if (value === undefined && this.options.keepUnset) return `\${${name}/${pattern}/${replacement}}`;
    return replacePattern(value ?? "", pattern, replacement, all);
  }

  /** The word of a `${x:-word}`: it may hold variables of its own. */
  private nested(stop: string, keepEscapes: boolean, atEnd = missing(stop)): string {
    const outer = this.keepEscapes;
    try {
      return this.until(stop, keepEscapes).text;
    } catch (error) {
      this.keepEscapes = outer;
      throw this.position >= this.source.length ? atEnd : error;
    }
  }

  /** Letters, digits and `_`; a number; or one of the shell's special parameters. */
  private name(): string {
    const rest = this.source.slice(this.position, this.position + 1).join("");
    if (/\p{Nd}/u.test(rest)) return this.run(/\p{Nd}/u);
    if (/[@*#?$!-]/.test(rest)) return this.next() as string;
    return this.run(/[\p{L}\p{Nd}_]/u);
  }

  private run(pattern: RegExp): string {
    let text = "";
    while (pattern.test(this.peek() ?? "")) text += this.next();
    return text;
  }
}

class Words {
  private readonly words: string[] = [];
  private current = "";

  add(text: string): void {
    this.current += text;
  }

  addAndSplit(text: string): void {
    for (const char of text) {
      if (/\s/.test(char)) this.end();
      else this.current += char;
    }
  }

  finish(): string[] {
    this.end();
    return this.words;
  }

  private end(): void {
    if (this.current !== "") this.words.push(this.current);
    this.current = "";
  }
}

function unclosed(quote: string): EngineError {
  return invalidArgument(`unexpected end of statement while looking for matching ${quote}`);
}

function missing(char: string, where = ""): EngineError {
  return invalidArgument(`syntax error: missing '${char}'${where}`);
}

function unsupported(modifier: string): EngineError {
  return invalidArgument(`unsupported modifier (${modifier}) in substitution`);
}
