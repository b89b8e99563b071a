/** `${x%pattern}`, `${x##pattern}`, `${x/pattern/text}`: the pattern operators of variables in Dockerfiles. */

/** Removes the shortest (or longest, for `##` and `%%`) match at the start (`#`) or the end (`%`). */
export function trimPattern(value: string, operator: "#" | "##" | "%" | "%%", pattern: string): string {
  const longest = operator.length === 2;
  const lengths = Array.from({ length: value.length + 1 }, (_, index) => (longest ? value.length - index : index));
  const expression = new RegExp(`^${translate(pattern)}$`, "s");
  for (const length of lengths) {
    const atStart = operator.startsWith("#");
    const part = atStart ? value.slice(0, length) : value.slice(value.length - length);
    if (expression.test(part)) return atStart ? value.slice(length) : value.slice(0, value.length - length);
  }
  return value;
}

export function replacePattern(value: string, pattern: string, replacement: string, all: boolean): string {
  return pattern === "" ? value : value.replace(new RegExp(translate(pattern), all ? "gs" : "s"), () => replacement);
}

/** Shell wildcards as a regular expression. */
function translate(pattern: string): string {
  return pattern.replace(/\\(.)|([*?])|([.+^${}()|[\]\\])/gs, (_match, escaped, wildcard, special) => {
    if (wildcard !== undefined) return wildcard === "*" ? ".*" : ".";
    return `\\${escaped ?? special}`.replace(/^\\([\w\s])$/, "$1");
  });
}
