/** The arguments of an instruction: JSON arrays, name=value lists, words. buildkit frontend/dockerfile/parser/line_parsers.go */
import { invalidArgument } from "../../base/errors.ts";
import type { Escape } from "./shell-words.ts";

/** A JSON array of strings, or undefined when the text is not an array. */
export function parseJsonWords(text: string): string[] | undefined {
  if (!text.trimStart().startsWith("[")) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(parsed)) return undefined;
  if (parsed.every((item) => typeof item === "string")) return parsed;
  throw invalidArgument("when using JSON array syntax, arrays must be comprised of strings only");
}

/** `A=b C="d e"`, or the old form `NAME value with spaces`; values keep their quotes. */
export function parseNameValues(rest: string, instruction: string, token: Escape): [name: string, value: string][] {
  const words = splitWords(rest, token);
  const [first] = words;
  if (first === undefined) return [];
  if (!first.includes("=")) {
    const old = /^(\S+)[\t\v\f\r ]+(.*)$/s.exec(rest);
    if (!old) throw invalidArgument(`${instruction} must have two arguments`);
    return [[old[1] as string, old[2] as string]];
  }
  return words.map((word) => {
    const equals = word.indexOf("=");
    if (equals < 0) {
      const shown = JSON.stringify(word);
      throw invalidArgument(`Syntax error - can't find = in ${shown}. Must be of the form: name=value`);
    }
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}

/** Words at white space outside quotes; quotes and escapes are kept. */
export function splitWords(text: string, token: Escape = "\\"): string[] {
  const words: string[] = [];
  let word = "";
  let quote = "";
  let started = false;
  const chars = [...text];
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] as string;
    if (quote === "" && /\s/.test(char)) {
      if (started) words.push(word);
      word = "";
      started = false;
      continue;
    }
    started = true;
    if (char === token && quote !== "'") {
      if (at + 1 < chars.length) word += char + chars[++at];
      continue;
    }
    if (quote === "" && (char === "'" || char === '"')) quote = char;
    else if (char === quote) quote = "";
    word += char;
  }
  if (started) words.push(word);
  return words;
}
