/**
 * `.dockerignore`: which paths of a context are left out. Source: Dockerfile reference, ".dockerignore file"; github.com/moby/patternmatcher.
 * Works on raw names (src/linux/files.ts) as well as on text.
 */
import { posix } from "node:path";
import { invalidArgument } from "../base/errors.ts";

/** The file's patterns: comments and blank lines gone, slashes cleaned. */
export function parseIgnoreFile(text: string): string[] {
  return text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line) => {
      const negated = line.startsWith("!");
      const pattern = negated ? line.slice(1).trim() : line;
      if (pattern === "") return line;
      const clean = posix.normalize(pattern).replace(/(.)\/$/, "$1");
      return (negated ? "!" : "") + (clean.length > 1 && clean.startsWith("/") ? clean.slice(1) : clean);
    });
}

interface Pattern {
  expression: RegExp;
  negated: boolean;
  /** Names between slashes. */
  parts: string[];
}

export class IgnoreMatcher {
  private readonly patterns: Pattern[];
  /** Some pattern brings something back: directories that are left out must be walked all the same. */
  readonly hasExceptions: boolean;

  constructor(patterns: readonly string[]) {
    this.patterns = patterns
      .map((pattern) => pattern.trim())
      .filter((pattern) => pattern !== "")
      .map((pattern) => {
        const negated = pattern.startsWith("!");
        const text = posix.normalize(negated ? pattern.slice(1) : pattern).replace(/(.)\/$/, "$1");
        if (negated && pattern.length === 1) throw invalidArgument('illegal exclusion pattern: "!"');
        return { expression: toExpression(text), negated, parts: text.split("/") };
      });
    this.hasExceptions = this.patterns.some(({ negated }) => negated);
  }

  /** A path relative to the context; it is also left out when a directory above it matches. The last pattern that says something counts. */
  matches(path: string): boolean {
    const names = path.split("/");
    let matched = false;
    for (const { expression, negated } of this.patterns) {
      if (matched !== negated) continue;
      let found = expression.test(path);
      for (let length = names.length - 1; !found && length > 0; length--) {
        found = expression.test(names.slice(0, length).join("/"));
      }
      if (found) matched = !negated;
    }
    return matched;
  }

  /** False when nothing below a directory that is left out can come back. */
  mayHoldExceptions(directory: string): boolean {
    const names = directory.split("/");
    return this.patterns.some(({ negated, parts }) => {
      if (!negated) return false;
      return names.every((name, index) => {
        const part = parts[index];
        return part === undefined || parts.slice(0, index + 1).includes("**") || toExpression(part).test(name);
      });
    });
  }
}

/** Go's filepath.Match, with `**` for any number of directories. Throws `invalid-argument` for a pattern that is none. */
export function toExpression(pattern: string): RegExp {
  let source = "^";
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at] as string;
    if (char === "*" && pattern[at + 1] === "*") {
      at++;
      if (pattern[at + 1] === "/") at++;
      source += at === pattern.length - 1 ? ".*" : "(?:.*/)?";
    } else if (char === "*") source += "[^/]*";
    else if (char === "?") source += "[^/]";
    else if (char === "\\") source += escapeText(pattern[++at] ?? badPattern(pattern));
    else if (char === "[") {
      const { text, end } = characterClass(pattern, at);
      source += text;
      at = end;
    } else source += escapeText(char);
  }
  return new RegExp(`${source}$`, "s");
}

function characterClass(pattern: string, start: number): { text: string; end: number } {
  let at = start + 1;
  const negated = pattern[at] === "^";
  if (negated) at++;
  let text = "";
  for (let first = true; first || pattern[at] !== "]"; first = false, at++) {
    const char = pattern[at] ?? badPattern(pattern);
    if (char === "\\") text += escapeClass(pattern[++at] ?? badPattern(pattern));
    else text += char === "-" ? "-" : escapeClass(char);
  }
  return { text: `[${negated ? "^/" : ""}${text}]`, end: at };
}

function badPattern(pattern: string): never {
  throw invalidArgument(`syntax error in pattern: ${JSON.stringify(pattern)}`);
}

function escapeText(char: string): string {
  return /[.*+?^${}()|[\]\\]/.test(char) ? `\\${char}` : char;
}

function escapeClass(char: string): string {
  return /[\]\\^[]/.test(char) ? `\\${char}` : char;
}
