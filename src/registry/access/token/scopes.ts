/** `repository:team/app:pull,push`: what a token is asked for, and what it says. https://distribution.github.io/distribution/spec/auth/scope/ */
import { asArray, asObject, asString, asStrings } from "../../../oci/json.ts";

export interface AccessEntry {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

const maxScopes = 100;

/** Scopes that are not well formed are left out, as by Docker's own server. A name may hold a host with a port. */
export function parseScopes(texts: readonly string[]): AccessEntry[] {
  const found: AccessEntry[] = [];
  for (const text of texts.flatMap((each) => each.split(" ")).slice(0, maxScopes)) {
    const match = /^([a-z0-9]+)(?:\([a-z0-9]+\))?:(.+):([a-z*,]*)$/.exec(text);
    if (!match) continue;
    const actions = (match[3] ?? "").split(",").filter((action) => action !== "");
    found.push({ type: match[1] ?? "", name: match[2] ?? "", actions: [...new Set(actions)] });
  }
  return found;
}

export function formatScope({ type, name, actions }: AccessEntry): string {
  return `${type}:${name}:${actions.join(",")}`;
}

/** The claim `access` of a token. Throws `invalid-argument`. */
export function parseAccessClaim(value: unknown): AccessEntry[] {
  if (value === undefined || value === null) return [];
  return asArray(value, "access").map((item) => {
    const object = asObject(item, "access");
    return {
      type: asString(object["type"], "type"),
      name: asString(object["name"], "name"),
      actions: asStrings(object["actions"] ?? [], "actions"),
    };
  });
}
