/**
 * `.dockerignore`: which paths of a context are left out. Source: Dockerfile reference, ".dockerignore file"; github.com/moby/patternmatcher.
 * Works on text: raw names (src/linux/files.ts) have to be converted.
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
  test: (path: string) => boolean;
  negated: boolean;
  /** Names between slashes. */
  parts: string[];
}

/** What the patterns say of a path, one by one: whether it, or a directory above it, matches. */
interface Verdict {
  matched: boolean;
  patterns: readonly boolean[];
}

export class IgnoreMatcher {
  private readonly patterns: Pattern[];
  private readonly nothing: Verdict;
  /** Of directories: a walk asks for one after the other's content. */
  private readonly known = new Map<string, Verdict>();

  constructor(patterns: readonly string[]) {
    this.patterns = patterns
      .map((pattern) => pattern.trim())
      .filter((pattern) => pattern !== "")
      .map((pattern) => {
        const negated = pattern.startsWith("!");
        if (negated && pattern.length === 1) throw invalidArgument('illegal exclusion pattern: "!"');
        const text = posix.normalize(negated ? pattern.slice(1) : pattern).replace(/(.)\/$/, "$1");
        return { test: compile(text), negated, parts: text.split("/") };
      });
    this.nothing = { matched: false, patterns: this.patterns.map(() => false) };
  }

  /** Leaves nothing out. */
  get isEmpty(): boolean {
    return this.patterns.length === 0;
  }

  /** A path relative to the context; it is also left out when a directory above it matches. The last pattern that says something counts. */
  matches(path: string): boolean {
    return !this.isEmpty && this.judge(path, this.above(path)).matched;
  }

  /** False when nothing below a directory that is left out can come back. */
  mayHoldExceptions(directory: string): boolean {
    const names = directory.split("/");
    return this.patterns.some(({ negated, parts }) => {
      if (!negated) return false;
      return names.every((name, index) => {
        const part = parts[index];
        // `**` within a name, too, reaches below.
        return (
          part === undefined ||
          parts
            .slice(0, index + 1)
            .join("/")
            .includes("**") ||
          toExpression(part).test(name)
        );
      });
    });
  }

  private above(path: string): Verdict {
    const slash = path.lastIndexOf("/");
    if (slash <= 0) return this.nothing;
    const directory = path.slice(0, slash);
    let verdict = this.known.get(directory);
    if (!verdict) {
      verdict = this.judge(directory, this.above(directory));
      if (this.known.size > 1000) this.known.clear();
      this.known.set(directory, verdict);
    }
    return verdict;
  }

  private judge(path: string, above: Verdict): Verdict {
    let matched = false;
    const patterns = this.patterns.map(({ test, negated }, index) => {
      // A pattern that would change nothing need not be tried.
      const found = above.patterns[index] === true || (negated === matched && test(path));
      if (found) matched = !negated;
      return found;
    });
    return { matched, patterns };
  }
}

/** moby's rule: behind a leading `**` without other patterns any text may stand, not only whole names. */
function compile(pattern: string): (path: string) => boolean {
  const suffix = pattern.slice(2);
  if (pattern.startsWith("**") && !/[*?[\]\\]/.test(suffix)) {
    return (path) => path.endsWith(suffix) || (suffix.startsWith("/") && path === suffix.slice(1));
  }
  const expression = toExpression(pattern);
  return (path) => expression.test(path);
}

/**
 * Go's filepath.Match as an expression for text. `directories`: `**` stands for any number of directories, otherwise it is a `*`.
 * Throws `invalid-argument` for what is no pattern.
 */
export function toExpression(pattern: string, { directories = true } = {}): RegExp {
  const chars = [...pattern];
  let source = "^";
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] as string;
    if (char === "*" && chars[at + 1] === "*" && directories) {
      at++;
      if (chars[at + 1] === "/") at++;
      source += at === chars.length - 1 ? ".*" : "(?:.*/)?";
    } else if (char === "*") source += "[^/]*";
    else if (char === "?") source += "[^/]";
    else if (char === "\\") source += escapeText(chars[++at] ?? badPattern(pattern));
    else if (char === "[") {
      const { text, end } = characterClass(pattern, chars, at);
      source += text;
      at = end;
    } else source += escapeText(char);
  }
  return new RegExp(`${source}$`, "su");
}

/** `[a-z]`, `[^a]`: as Go is strict, a `-` or `]` that stands for itself must be escaped. */
function characterClass(pattern: string, chars: string[], start: number): { text: string; end: number } {
  let at = start + 1;
  const negated = chars[at] === "^";
  if (negated) at++;
  const member = () => {
    let char = chars[at++];
    if (char === undefined || char === "-" || char === "]") return badPattern(pattern);
    if (char === "\\") char = chars[at++] ?? badPattern(pattern);
    return char;
  };
  let text = "";
  do {
    const low = member();
    let high = low;
    if (chars[at] === "-") {
      at++;
      high = member();
    }
    // A range that is the wrong way round matches nothing.
    if ((low.codePointAt(0) ?? 0) <= (high.codePointAt(0) ?? 0)) text += `${escapeClass(low)}-${escapeClass(high)}`;
  } while (chars[at] !== "]");
  return { text: `[${negated ? "^" : ""}${text}]`, end: at };
}

function badPattern(pattern: string): never {
  throw invalidArgument(`syntax error in pattern: ${JSON.stringify(pattern)}`);
}

function escapeText(char: string): string {
  return /[.*+?^${}()|[\]\\/]/.test(char) ? `\\${char}` : char;
}

function escapeClass(char: string): string {
  return /[\]\\^[-]/.test(char) ? `\\${char}` : char;
}
