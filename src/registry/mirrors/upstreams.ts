/** Where the registry fetches from what it does not hold: the key `mirrors`. */
import { invalidArgument } from "../../base/errors.ts";
import { asString, optional } from "../../oci/json.ts";
import type { Credentials } from "../../remote/auth.ts";
import { isName } from "../api/names.ts";
import { asCount, asHttpUrl, readList } from "../config/fields.ts";

export interface Mirror {
  /** Its repositories are here under this name: `docker.io` has `docker.io/library/busybox`. */
  readonly prefix: string;
  /** What clients name the upstream by in `?ns=`. */
  readonly namespace: string;
  /** `https://registry-1.docker.io`, without a slash at its end. */
  readonly url: string;
  readonly credentials: Credentials;
  /** So long a tag is believed without asking. */
  readonly ttlMillis: number;
  /** A tag that nobody pulled for so long goes; 0: never. */
  readonly lifetimeMillis: number;
  /** Stands in for repositories that are not here, as dockerd's `--registry-mirror` wants it. */
  readonly isDefault: boolean;
  readonly insecure: boolean;
}

const fields = ["prefix", "ns", "url", "username", "password", "ttl", "lifetime", "default", "insecure"];

/** Throws `invalid-argument`. */
export function parseMirrors(value: unknown, at: string): Mirror[] {
  const mirrors = readList(value, at, fields, (object, what): Mirror => {
    const prefix = asString(object["prefix"], `${what}.prefix`);
    if (!isName(prefix)) throw invalidArgument(`${what}.prefix: ${prefix} is not a repository name`);
    const flag = (name: string) => {
      const found = object[name] ?? false;
      if (typeof found === "boolean") return found;
      throw invalidArgument(`${what}.${name} must be true or false`);
    };
    return {
      prefix,
      namespace: optional(object["ns"], `${what}.ns`, asString) ?? prefix,
      url: asHttpUrl(object["url"], `${what}.url`).replace(/\/+$/, ""),
      credentials: {
        username: optional(object["username"], `${what}.username`, asString),
        password: optional(object["password"], `${what}.password`, asString),
      },
      ttlMillis: asCount(object["ttl"] ?? 300, `${what}.ttl`) * 1000,
      lifetimeMillis: asCount(object["lifetime"] ?? 0, `${what}.lifetime`) * 1000,
      isDefault: flag("default"),
      insecure: flag("insecure"),
    };
  });
  for (const [word, of] of [
    ["prefix", (mirror: Mirror) => mirror.prefix],
    ["ns", (mirror: Mirror) => mirror.namespace],
  ] as const) {
    if (new Set(mirrors.map(of)).size < mirrors.length) throw invalidArgument(`${at}: two mirrors of one ${word}`);
  }
  if (mirrors.filter(({ isDefault }) => isDefault).length > 1) throw invalidArgument(`${at}: two default mirrors`);
  return mirrors;
}
