/**
 * Text into logical lines: comments, continuations, heredocs, and each line split into its name, flags and the rest.
 * https://github.com/moby/buildkit/blob/master/frontend/dockerfile/parser (parser.go, split_command.go)
 */
import { invalidArgument } from "../base/errors.ts";
import { DirectiveParser } from "./directives.ts";
import type { Directives, Location } from "./instructions.ts";
import { heredocsOf, type LineHeredoc, readHeredoc } from "./words/heredocs.ts";
import type { Escape } from "./words/shell-words.ts";
import { parseJsonWords } from "./words/words.ts";

export interface Line {
  /** Upper case. */
  name: string;
  /** As written. */
  givenName: string;
  /** `--interval=3s`, … */
  flags: string[];
  /** What follows name and flags. */
  rest: string;
  original: string;
  heredocs: LineHeredoc[];
  /** Comments right above it. */
  comments: string[];
  escape: Escape;
  location: Location;
}

export interface Lines {
  directives: Directives;
  lines: Line[];
  /** Empty lines within an instruction: where the instruction ends. */
  emptyContinuations: Location[];
}

/** One less than what BuildKit's scanner holds. */
const longestLine = 65535;
const isComment = (text: string) => /^\s*#/.test(text);

/** Throws `invalid-argument` with BuildKit's words. */
export function parseLines(text: string): Lines {
  return new LineReader(text).read();
}

/** A line on its own, as ONBUILD has it. */
export function parseLine(line: string, token: Escape = "\\"): Line {
  const [, givenName = "", after = ""] = /^([^\t\v\f\r ]*)(?:[\t\v\f\r ]+(.*))?$/s.exec(line.trim()) ?? [];
  const { flags, rest } = splitFlags(after, token);
  return {
    name: givenName.toUpperCase(),
    givenName,
    flags,
    rest: rest.trim(),
    original: line,
    heredocs: [],
    comments: [],
    escape: token,
    location: { startLine: 1, endLine: 1 },
  };
}

class LineReader {
  private readonly source: string[];
  private readonly directives = new DirectiveParser();
  private readonly lines: Line[] = [];
  private readonly emptyContinuations: Location[] = [];
  private comments: string[] = [];
  private at = 0;

  constructor(text: string) {
    this.source = text.replace(/^\uFEFF/, "").split("\n");
    if (this.source.at(-1) === "") this.source.pop();
  }

  read(): Lines {
    while (this.at < this.source.length) this.readOne();
    if (this.lines.length === 0) throw invalidArgument("file with no instructions");
    return {
      directives: this.directives.directives(),
      lines: this.lines,
      emptyContinuations: this.emptyContinuations,
    };
  }

  private readOne(): void {
    const startLine = this.at + 1;
    const first = this.next().trimStart();
    const isDirective = this.directives.take(first);
    if (isComment(first)) {
      if (!isDirective) this.noteComment(first);
      return;
    }
    let { line, ends } = trimContinuation(first, this.directives.escape);
    if (ends && line === "") {
      this.comments = [];
      return;
    }
    let hasEmpty = false;
    while (!ends && this.at < this.source.length) {
      const next = this.next();
      if (isComment(next)) continue;
      if (next.trim() === "") {
        hasEmpty = true;
        continue;
      }
      const more = trimContinuation(next, this.directives.escape);
      line += more.line;
      ends = more.ends;
    }
    if (hasEmpty) this.emptyContinuations.push({ startLine: this.at, endLine: this.at });
    const parsed = parseLine(line, this.directives.escape);
    this.readHeredocs(parsed);
    this.lines.push({ ...parsed, comments: this.comments, location: { startLine, endLine: this.at } });
    this.comments = [];
  }

  private next(): string {
    const line = (this.source[this.at++] as string).replace(/\r+$/, "");
    if (line.length > longestLine) {
      throw invalidArgument(`dockerfile line greater than max allowed size of ${longestLine}`);
    }
    return line;
  }

  /** An empty comment parts those before it from what follows. */
  private noteComment(line: string): void {
    const text = line.slice(1).trim();
    this.comments = text === "" ? [] : [...this.comments, text];
  }

  private readHeredocs(line: Line): void {
    if (!line.original.includes("<<") || !mayHaveHeredocs(line)) return;
    for (const start of heredocsOf(line.original)) {
      const { heredoc, next } = readHeredoc(this.source, this.at, start);
      this.at = next;
      line.heredocs.push(heredoc);
    }
  }
}

function mayHaveHeredocs(line: Line): boolean {
  if (line.name === "ONBUILD") return line.rest !== "" && mayHaveHeredocs(parseLine(line.rest, line.escape));
  return ["ADD", "COPY", "RUN"].includes(line.name) && parseJsonWords(line.rest) === undefined;
}

/** An escape character at the end, unless it is itself escaped, goes on in the next line. */
function trimContinuation(line: string, token: Escape): { line: string; ends: boolean } {
  const pattern = token === "\\" ? /(^|[^\\])\\[ \t]*$/ : /(^|[^`])`[ \t]*$/;
  return pattern.test(line) ? { line: line.replace(pattern, "$1"), ends: false } : { line, ends: true };
}

/** Words that begin with `--`, quotes and escapes taken off, up to the first other word. */
function splitFlags(text: string, token: Escape): { flags: string[]; rest: string } {
  const flags: string[] = [];
  let at = 0;
  for (;;) {
    while (/\s/.test(text[at] ?? "")) at++;
    if (!text.startsWith("--", at)) return { flags, rest: text.slice(at) };
    let word = "";
    let quote = "";
    for (; at < text.length; at++) {
      const char = text[at] as string;
      if (quote === "" && /\s/.test(char)) break;
      if (char === token) word += text[++at] ?? "";
      else if (quote === "" && (char === '"' || char === "'")) quote = char;
      else if (char === quote) quote = "";
      else word += char;
    }
    if (word === "--") return { flags, rest: text.slice(at) };
    flags.push(word);
  }
}
