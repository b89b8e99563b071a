/** JSON as text: indented without parsing (key order and numbers stay as the server sent them), and parsed without losing big integers. */

/** json.Indent with four spaces: every token kept as it is. */
export function indentJson(text: string, prefix = "", indent = "    "): string {
  let out = "";
  let depth = 0;
  const newline = () => `\n${prefix}${indent.repeat(depth)}`;
  const tokens = text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g);
  let pendingOpen = false;
  for (const [token] of tokens) {
    if (token === "}" || token === "]") {
      depth--;
      out += pendingOpen ? token : newline() + token;
      pendingOpen = false;
      continue;
    }
    if (pendingOpen) out += newline();
    pendingOpen = token === "{" || token === "[";
    if (pendingOpen) depth++;
    if (token === ":") out += ": ";
    else if (token === ",") out += `,${newline()}`;
    else out += token;
  }
  return out;
}

/** Integers that a double cannot hold come as bigint. Throws SyntaxError. */
export function parseJson(text: string): unknown {
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  const revive = (_key: string, value: unknown, context?: { source?: string }) =>
    typeof value === "number" && !Number.isSafeInteger(value) && context?.source && /^-?\d+$/.test(context.source)
      ? BigInt(context.source)
      : value;
  return JSON.parse(text, revive as (key: string, value: unknown) => unknown);
}
