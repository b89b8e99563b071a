/** `${x%pattern}`, `${x##pattern}`, `${x/pattern/text}`: the pattern operators of variables in Dockerfiles. */
import { invalidArgument } from "../../base/errors.ts";

/** Removes the shortest (`#`, `%`) or longest (`##`, `%%`) match at the start (`#`) or the end (`%`). Throws `invalid-argument`. */
export function trimPattern(
  value: string,
  pattern: string,
  { atStart, longest }: { atStart: boolean; longest: boolean },
): string {
  const expression = new RegExp(`^${translate(pattern)}$`);
  for (let tried = 0; tried <= value.length; tried++) {
    const length = longest ? value.length - tried : tried;
    const rest = atStart ? value.slice(length) : value.slice(0, value.length - length);
    const part = atStart ? value.slice(0, length) : value.slice(value.length - length);
    if (expression.test(part)) return rest;
  }
  return value;
}

/** Replaces the first match, or all of them. Throws `invalid-argument`. */
export function replacePattern(value: string, pattern: string, replacement: string, all: boolean): string {
  const source = translate(pattern);
  if (!all) return value.replace(new RegExp(source), () => replacement);
  let end = -1;
  return value.replace(new RegExp(source, "g"), (match: string, at: number) => {
    // Right behind a match, nothing is not one more.
    if (match === "" && at === end) return "";
    end = at + match.length;
    return fillTemplate(replacement, match);
  });
}

/** BuildKit replaces all through Go's templates, so a `$0` that got that far is the match, and other `$names` are nothing. */
function fillTemplate(text: string, match: string): string {
  return text.replace(/\$(?:\$|(\w+)|\{(\w+)\})/g, (whole, name, braced) => {
    if (whole === "$$") return "$";
    return (name ?? braced) === "0" ? match : "";
  });
}

/** Shell wildcards as a regular expression; `*` and `?` do not match a line's end. */
function translate(pattern: string): string {
  let source = "";
  const chars = [...pattern];
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] as string;
    if (char === "*") source += "[^\\n]*";
    else if (char === "?") source += "[^\\n]";
    else if (char === "\\") {
      const next = chars[++at];
      if (next === undefined || !"*?\\}/".includes(next)) {
        const reason = `invalid escape '\\${next ?? "\uFFFD"}'`;
        throw invalidArgument(`invalid pattern (${pattern}) in substitution: ${reason}`);
      }
      source += literal(next);
    } else source += literal(char);
  }
  return source;
}

function literal(char: string): string {
  return /[.*+?^${}()|[\]\\/]/.test(char) ? `\\${char}` : char;
}
