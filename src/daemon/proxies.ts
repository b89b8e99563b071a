/** Proxies on the way to registries and other addresses: what flags and daemon.json say replaces what the environment says. */
import type { Logger } from "../base/log.ts";

export interface Proxies {
  /** Undefined: the environment's. */
  http: string | undefined;
  https: string | undefined;
  /** Addresses that are reached without. */
  no: string | undefined;
}

type Environment = Record<string, string | undefined>;

const variables: Record<keyof Proxies, [string, string]> = {
  http: ["HTTP_PROXY", "http_proxy"],
  https: ["HTTPS_PROXY", "https_proxy"],
  no: ["NO_PROXY", "no_proxy"],
};

/** Sets the variables that fetch and the programs that the daemon starts go by. */
export function applyProxies(proxies: Proxies, env: Environment, log: Pick<Logger, "warn">): void {
  for (const [kind, names] of Object.entries(variables) as [keyof Proxies, [string, string]][]) {
    const value = proxies[kind];
    if (value === undefined) continue;
    for (const name of names) {
      const before = env[name];
      if (before !== undefined && before !== value) {
        log.warn("overriding existing proxy variable with value from configuration", {
          name,
          "old-value": maskPassword(before),
          "new-value": maskPassword(value),
        });
      }
      env[name] = value;
    }
  }
}

/** What holds, to be shown. */
export function shownProxies(env: Environment): { http: string; https: string; no: string } {
  const read = ([upper, lower]: [string, string]) => maskPassword(env[upper] || env[lower] || "");
  return { http: read(variables.http), https: read(variables.https), no: read(variables.no) };
}

/** A URL without the name and password in it, as dockerd shows it. */
export function maskPassword(text: string): string {
  return text.replace(/^(\w+:\/\/)[^/]*@/, "$1xxxxx:xxxxx@");
}
