/** The time in a prune filter `until`: a duration ago (`24h`), seconds since 1970, or a date in RFC 3339 or part of it. */
import { fromRfc3339, nowNanos } from "../../base/clock.ts";
import { invalidArgument } from "../../base/errors.ts";

const units: Record<string, number> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** Nanoseconds since 1970. Throws `invalid-argument`. */
export function parseUntil(text: string, now = nowNanos()): bigint {
  const duration = parseDuration(text);
  if (duration !== undefined) return now - BigInt(Math.round(duration));
  if (/^\d+(\.\d{1,9})?$/.test(text)) {
    const [seconds = "0", fraction = ""] = text.split(".");
    return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
  }
  const full = /^\d{4}-\d\d-\d\d$/.test(text)
    ? `${text}T00:00:00Z`
    : /[Z]|[+-]\d\d:\d\d$/.test(text)
      ? text
      : `${text}Z`;
  const time = fromRfc3339(/T\d\d:\d\dZ$/.test(full) ? full.replace("Z", ":00Z") : full);
  if (time === undefined) throw invalidArgument(`failed to parse value as time or duration: ${JSON.stringify(text)}`);
  return time;
}

/** Go's durations, `1h30m`: nanoseconds, or undefined for what is none. */
function parseDuration(text: string): number | undefined {
  if (!/^([\d.]+(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g))
    total += Number(amount) * (units[unit as string] as number);
  return total;
}
