/** Who is notified: the key `notifications`. */
import { invalidArgument } from "../../base/errors.ts";
import { asArray, asString, asStringMap, optional } from "../../oci/json.ts";
import { asCount, asHttpUrl, asOneOf, readList } from "../config/fields.ts";
import type { EventAction } from "./notifier.ts";

export interface Endpoint {
  /** Its events are queued under this name. */
  readonly name: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly actions: ReadonlySet<EventAction>;
  readonly timeoutMillis: number;
  /** An event that was not taken for so long is given up. */
  readonly lifetimeMillis: number;
}

const allActions: readonly EventAction[] = ["push", "pull", "mount", "delete"];
/** Pulls are many: who wants to be told of each says so. */
const usualActions: readonly EventAction[] = ["push", "mount", "delete"];

/** Throws `invalid-argument`. */
export function parseEndpoints(value: unknown, at: string): Endpoint[] {
  const fields = ["name", "url", "headers", "actions", "timeout", "lifetime"];
  const endpoints = readList(value, at, fields, ({ timeout = 5, lifetime = 86_400, ...object }, what) => ({
    name: asString(object["name"], `${what}.name`),
    url: asHttpUrl(object["url"], `${what}.url`),
    headers: optional(object["headers"], `${what}.headers`, asStringMap) ?? {},
    actions: new Set(
      asArray(object["actions"] ?? usualActions, `${what}.actions`).map((action) =>
        asOneOf(allActions, action, `${what}.actions`),
      ),
    ),
    timeoutMillis: asCount(timeout, `${what}.timeout`) * 1000,
    lifetimeMillis: asCount(lifetime, `${what}.lifetime`) * 1000,
  }));
  const names = new Set(endpoints.map(({ name }) => name));
  if (names.size < endpoints.length) throw invalidArgument(`${at}: two endpoints of one name`);
  return endpoints;
}
