/** `--since` and `--until`: a duration before now, an RFC 3339 time, a local time without zone, or seconds since 1970. */
import { parseGoDuration } from "./go-values.ts";

/** As the API takes it: `SECONDS.NANOSECONDS`, or the text itself when it is a number. Throws in docker's words. */
export function apiTimestamp(text: string, now = Date.now()): string {
  const duration = text === "0" ? undefined : tryDuration(text);
  // Whole seconds, as docker sends them.
  if (duration !== undefined) return String(Math.floor((now - duration / 1e6) / 1000));
  if (!text.includes("-")) {
    if (!/^\d+(\.\d{1,9})?$/.test(text)) throw new Error(`failed to parse value as time or duration: "${text}"`);
    return text;
  }
  const match = /^(\d{4}-\d\d-\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?)?(Z|[+-]\d\d:\d\d)?$/.exec(text);
  if (!match) throw new Error(`failed to parse value as time or duration: "${text}"`);
  const [, day, hour = "00", minute = "00", second = "00", fraction = "", zone = ""] = match;
  // Without a zone, Date.parse of a date and time takes the local one, as docker does.
  const millis = Date.parse(`${day}T${hour}:${minute}:${second}${zone}`);
  if (Number.isNaN(millis)) throw new Error(`failed to parse value as time or duration: "${text}"`);
  return secondsText(BigInt(millis) * 1_000_000n + BigInt(fraction.padEnd(9, "0")));
}

function tryDuration(text: string): number | undefined {
  try {
    return parseGoDuration(text);
  } catch {
    return undefined;
  }
}

function secondsText(nanos: bigint): string {
  return `${nanos / 1_000_000_000n}.${(nanos % 1_000_000_000n).toString().padStart(9, "0")}`;
}
