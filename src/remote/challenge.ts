/** The `WWW-Authenticate` header. https://www.rfc-editor.org/rfc/rfc9110#name-www-authenticate */

export interface Challenge {
  /** Lower case: `basic`, `bearer`. */
  scheme: string;
  parameters: Record<string, string>;
}

const token = /([!#$%&'*+\-.^_`|~\w]+)/y;
const value = /\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/y;

/** Never throws: what cannot be read is left out. */
export function parseChallenges(header: string | null): Challenge[] {
  const text = header ?? "";
  const found: Challenge[] = [];
  let at = 0;
  while (at < text.length) {
    at += /^[\s,]*/.exec(text.slice(at))?.[0].length ?? 0;
    token.lastIndex = at;
    const name = token.exec(text)?.[1];
    if (name === undefined) break;
    at += name.length;
    value.lastIndex = at;
    const match = value.exec(text);
    if (!match) {
      found.push({ scheme: name.toLowerCase(), parameters: {} });
      continue;
    }
    at += match[0].length;
    const parameters = found.at(-1)?.parameters;
    if (parameters) parameters[name.toLowerCase()] = match[1]?.replace(/\\(.)/g, "$1") ?? match[2] ?? "";
  }
  return found;
}
