/**
 * Text into logical lines: directives, comments, continuations, heredocs, and each line split into its name, flags and the rest.
 * https://github.com/moby/buildkit/blob/master/frontend/dockerfile/parser (parser.go, split_command.go)
 */
import { invalidArgument } from "../base/errors.ts";
import type { Directives, Heredoc, Location, Warning } from "./instructions.ts";

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
  heredocs: Heredoc[];
  location: Location;
}

export interface Lines {
  directives: Directives;
  lines: Line[];
  warnings: Warning[];
}

const directiveNames = ["syntax", "escape", "check"];
const withHeredocs = new Set(["ADD", "COPY", "RUN", "ONBUILD"]);
const isComment = (text: string) => /^\s*#/.test(text);

/** Throws `invalid-argument` with BuildKit's words. */
export function parseLines(text: string): Lines {
  const source = text.replace(/^\uFEFF/, "").split("\n");
  if (source.at(-1) === "") source.pop();
  const directives = parseDirectives(source);
  const lines: Line[] = [];
  const warnings: Warning[] = [];
  const cut = (line: string) => trimContinuation(line, directives.escape);
  for (let at = 0; at < source.length; ) {
    const startLine = at + 1;
    const first = (source[at++] as string).replace(/\r$/, "").trimStart();
    if (isComment(first)) continue;
    let { line, ends } = cut(first);
    if (ends && line === "") continue;
    let hasEmpty = false;
    while (!ends && at < source.length) {
      const next = (source[at++] as string).replace(/\r$/, "");
      if (isComment(next)) continue;
      if (next.trim() === "") {
        hasEmpty = true;
        continue;
      }
      const more = cut(next);
      line += more.line;
      ends = more.ends;
    }
    if (line.trim() === "") continue;
    const parsed = parseLine(line);
    if (withHeredocs.has(parsed.name) && line.includes("<<")) {
      for (const heredoc of heredocsOf(line)) {
        const read = readHeredoc(source, at, heredoc, startLine);
        at = read.next;
        parsed.heredocs.push(read.heredoc);
      }
    }
    parsed.location = { startLine, endLine: at };
    if (hasEmpty) warnings.push(emptyContinuation(parsed));
    lines.push(parsed);
  }
  if (lines.length === 0) throw invalidArgument("file with no instructions");
  return { directives, lines, warnings };
}

/** Directives stand before everything else, each once. */
function parseDirectives(source: readonly string[]): Directives {
  const found = new Map<string, string>();
  for (const line of source) {
    const [, name = "", value = ""] = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/.exec(line) ?? [];
    const key = name.toLowerCase();
    if (!directiveNames.includes(key)) break;
    if (found.has(key)) throw invalidArgument(`only one ${key} parser directive can be used`);
    found.set(key, value);
  }
  const token = found.get("escape") ?? "\\";
  if (token !== "\\" && token !== "`") {
    throw invalidArgument(`invalid escape token '${token}' does not match \` or \\`);
  }
  const [syntax, check] = [found.get("syntax"), found.get("check")];
  return { escape: token, ...(syntax === undefined ? {} : { syntax }), ...(check === undefined ? {} : { check }) };
}

/** An escape character at the end, unless it is itself escaped, goes on in the next line. */
function trimContinuation(line: string, token: "\\" | "`"): { line: string; ends: boolean } {
  const pattern = token === "\\" ? /(^|[^\\])\\[ \t]*$/ : /(^|[^`])`[ \t]*$/;
  return pattern.test(line) ? { line: line.replace(pattern, "$1"), ends: false } : { line, ends: true };
}

/** A line on its own, as ONBUILD has it. */
export function parseLine(line: string): Line {
  const [, givenName = "", after = ""] = /^(\S*)(?:[\t\v\f\r ]+(.*))?$/s.exec(line.trim()) ?? [];
  const { flags, rest } = splitFlags(after);
  return {
    name: givenName.toUpperCase(),
    givenName,
    flags,
    rest: rest.trim(),
    original: line,
    heredocs: [],
    location: { startLine: 1, endLine: 1 },
  };
}

/** Words that begin with `--`, quotes and escapes taken off, up to the first other word. */
function splitFlags(text: string): { flags: string[]; rest: string } {
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
      if (char === "\\") word += text[++at] ?? "";
      else if (quote === "" && (char === '"' || char === "'")) quote = char;
      else if (char === quote) quote = "";
      else word += char;
    }
    if (word === "--") return { flags, rest: text.slice(at) };
    flags.push(word);
  }
}

interface HeredocStart {
  name: string;
  expand: boolean;
  chomp: boolean;
}

/** `<<NAME`, `<<-NAME`, `<<"NAME"` as words, possibly after a file descriptor's number. */
const heredocPattern = /^(\d*)<<(-?)([^<]*)$/;

export function parseHeredocWord(word: string): HeredocStart | undefined {
  const [, , dash, quoted] = heredocPattern.exec(word) ?? [];
  if (quoted === undefined) return undefined;
  const name = quoted.replace(/^(['"])(.*)\1$/s, "$2").replace(/\\(.)/g, "$1");
  if (name === "" || /[\s'"<]/.test(name)) return undefined;
  return { name, expand: quoted === name, chomp: dash === "-" };
}

function heredocsOf(line: string): HeredocStart[] {
  return (line.match(/(?:[^\s'"]|'[^']*'|"(?:[^"\\]|\\.)*")+/g) ?? []).flatMap((word) => parseHeredocWord(word) ?? []);
}

function readHeredoc(
  source: readonly string[],
  from: number,
  { name, expand, chomp }: HeredocStart,
  startLine: number,
): { heredoc: Heredoc; next: number } {
  const body: string[] = [];
  for (let at = from; at < source.length; at++) {
    const given = source[at] as string;
    const line = chomp ? given.replace(/^\t+/, "") : given;
    if (line.replace(/\r$/, "") === name) {
      return { heredoc: { name, content: body.map((text) => `${text}\n`).join(""), expand }, next: at + 1 };
    }
    body.push(line);
  }
  throw invalidArgument(`unterminated heredoc on line ${startLine}`);
}

function emptyContinuation({ location }: Line): Warning {
  return { rule: "NoEmptyContinuation", message: "Empty continuation line", location };
}
