/** Heredocs: `<<NAME`, `<<-NAME`, `<<"NAME"` in a line, and their bodies below it. buildkit parser/parser.go */
import { invalidArgument } from "../../base/errors.ts";
import type { Heredoc } from "../instructions.ts";
import { type LexerOptions, lex } from "./shell-words.ts";

export interface HeredocStart {
  name: string;
  expand: boolean;
  /** Tabs before its lines do not count. */
  chomp: boolean;
}

/** With the body as it is written, tabs and all. */
export interface LineHeredoc extends Heredoc {
  raw: string;
}

const unset = () => undefined;

/** The heredoc that a word starts, possibly after a file descriptor's number; undefined when it starts none. */
export function parseHeredocWord(word: string): HeredocStart | undefined {
  const [, , dash, given] = /^(\d*)<<(-?)([^<]*)$/s.exec(word) ?? [];
  if (!given) return undefined;
  const options = { escape: "\\", keepUnset: true } as const;
  const [name, more] = wordsOf(given, options);
  if (name === undefined || more !== undefined) return undefined;
  const [quoted = ""] = wordsOf(given, { ...options, keepQuotes: true });
  return { name, expand: countQuotes(name) === countQuotes(quoted), chomp: dash === "-" };
}

/** All that a line starts; white space may stand before a name. A line with an open quote starts none. */
export function heredocsOf(line: string): HeredocStart[] {
  const words = wordsOf(line, { escape: "\\", keepQuotes: true, keepEscapes: true, keepUnset: true });
  return words.flatMap((word, index) => {
    const before = words[index - 1] ?? "";
    return parseHeredocWord(/^\d*<<$/.test(before) ? before + word : word) ?? [];
  });
}

function wordsOf(text: string, options: LexerOptions): string[] {
  try {
    return lex(text, unset, options).words;
  } catch {
    // An open quote: who reads the whole line has to make sense of it.
    return [];
  }
}

function countQuotes(text: string): number {
  return text.match(/['"]/g)?.length ?? 0;
}

/** Reads a body from the line `from` on (counted from 0). Throws `invalid-argument` when it does not end. */
export function readHeredoc(
  source: readonly string[],
  from: number,
  { name, expand, chomp }: HeredocStart,
): { heredoc: LineHeredoc; next: number } {
  const body: string[] = [];
  for (let at = from; at < source.length; at++) {
    const line = source[at] as string;
    const end = line.replace(/\r+$/, "");
    if ((chomp ? withoutTabs(end) : end) === name) {
      const text = (lines: string[]) => lines.map((each) => `${each}\n`).join("");
      const raw = text(body);
      return { heredoc: { name, content: chomp ? text(body.map(withoutTabs)) : raw, expand, raw }, next: at + 1 };
    }
    body.push(line);
  }
  throw invalidArgument("unterminated heredoc");
}

function withoutTabs(line: string): string {
  return line.replace(/^\t+/, "");
}
