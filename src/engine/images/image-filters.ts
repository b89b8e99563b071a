/** The `filters` of image list and prune: which names are known, and what their values mean. */
import type { Filters } from "../../api/system.ts";
import { fromRfc3339, nowNanos } from "../../base/clock.ts";
import { invalidArgument } from "../../base/errors.ts";
import { parseGoDuration } from "../../base/go-duration.ts";

/** Throws `invalid filter 'x'` for a name that is not one of these. */
export function checkFilterNames(filters: Filters, accepted: readonly string[]): void {
  for (const name of Object.keys(filters)) {
    if (!accepted.includes(name)) throw invalidArgument(`invalid filter '${name}'`);
  }
}

/** A filter that is true or false; undefined when it is not given. */
export function booleanFilter(filters: Filters, name: string): boolean | undefined {
  const values = filters[name];
  if (!values || values.length === 0) return undefined;
  const truths = new Set(
    values.map((value) => (["1", "true"].includes(value) ? true : ["0", "false"].includes(value) ? false : undefined)),
  );
  const [only] = truths;
  if (truths.size !== 1 || only === undefined) throw invalidArgument(`invalid filter '${name}=[${values.join(" ")}]'`);
  return only;
}

/** `until` in nanoseconds since 1970: a time, or how long ago. */
export function untilFilter(filters: Filters, now = nowNanos()): bigint | undefined {
  const values = filters["until"];
  if (!values || values.length === 0) return undefined;
  if (values.length > 1) throw invalidArgument("more than one until filter specified");
  return parseTimestamp(values[0] as string, now);
}

/** `10m` (ago), RFC 3339 and its beginnings (local time without a zone), or seconds since 1970 with a fraction. */
export function parseTimestamp(value: string, now: bigint): bigint {
  const duration = parseGoDuration(value);
  if (duration !== undefined) return now - BigInt(duration);
  const seconds = /^(\d+)(?:\.(\d{1,9}))?$/.exec(value);
  if (seconds) return BigInt(seconds[1] as string) * 1_000_000_000n + BigInt((seconds[2] ?? "").padEnd(9, "0"));
  const exact = fromRfc3339(value);
  if (exact !== undefined) return exact;
  const date = /^(\d{4}-\d\d-\d\d)(?:T(\d\d)(?::(\d\d))?(?::(\d\d))?(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?$/.exec(value);
  const [, day, hour = "00", minute = "00", second = "00", fraction = "", zone = ""] = date ?? [];
  const millis = date ? Date.parse(`${day}T${hour}:${minute}:${second}${zone}`) : Number.NaN;
  if (Number.isNaN(millis)) {
    throw invalidArgument(`failed to parse value as time or duration: ${JSON.stringify(value)}`);
  }
  return BigInt(millis) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
}

/** Go's path.Match: `*` and `?` do not cross slashes. Throws `syntax error in pattern`. */
export function matchPath(pattern: string, name: string): boolean {
  let expression = "";
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at] as string;
    if (char === "*") expression += "[^/]*";
    else if (char === "?") expression += "[^/]";
    else if (char === "[") {
      const set = /^\[(\^?)((?:\\.|[^\]\\])+)\]/.exec(pattern.slice(at));
      if (!set) throw invalidArgument("syntax error in pattern");
      expression += `[${set[1]}${(set[2] as string).replace(/\[/g, "\\[")}]`;
      at += set[0].length - 1;
    } else if (char === "\\") {
      if (++at >= pattern.length) throw invalidArgument("syntax error in pattern");
      expression += RegExp.escape(pattern[at] as string);
    } else expression += RegExp.escape(char);
  }
  return new RegExp(`^${expression}$`, "s").test(name);
}
