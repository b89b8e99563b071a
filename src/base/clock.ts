/** Time as Docker writes it. Durations on the wire are nanoseconds unless a field says seconds. */

/** The zero time of Go, which Docker sends for "never". */
export const zeroTime = "0001-01-01T00:00:00Z";

/** Now as RFC 3339 with nanoseconds. The last three digits tell calls within one microsecond apart from nothing: they are 0. */
export function nowRfc3339Nano(): string {
  return toRfc3339Nano(nowNanos());
}

/** Nanoseconds since 1970, microsecond resolution. */
export function nowNanos(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}

/** Nanoseconds since 1970 → `2026-01-02T03:04:05.123456789Z`. */
export function toRfc3339Nano(nanos: bigint): string {
  const seconds = nanos / 1_000_000_000n;
  const fraction = (nanos % 1_000_000_000n).toString().padStart(9, "0");
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}.${fraction}Z`;
}

/** `20261124T181500Z`: for names that are to sort by time. */
export function timeStamp(date: Date): string {
  return `${date.toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`;
}

/** RFC 3339 with any fraction and offset → nanoseconds since 1970. Returns undefined for what is not a time. */
export function fromRfc3339(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (!match) return undefined;
  const millis = Date.parse(`${match[1]}${match[3]}`);
  if (Number.isNaN(millis)) return undefined;
  return BigInt(millis) * 1_000_000n + BigInt((match[2] ?? "").padEnd(9, "0"));
}
