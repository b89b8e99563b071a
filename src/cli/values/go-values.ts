/** Values as Go reads them, for flags: integers, booleans, durations and sizes, with Go's error words. */
import { parseGoBool as goBool } from "../../base/go-bool.ts";
import { goQuote } from "../../base/go-quote.ts";

export interface IntRange {
  /** The Go function that the error names: `ParseInt` or `ParseUint`. */
  readonly parser: "ParseInt" | "ParseUint";
  readonly min: bigint;
  readonly max: bigint;
}

export const int64Range: IntRange = { parser: "ParseInt", min: -(2n ** 63n), max: 2n ** 63n - 1n };
export const uint64Range: IntRange = { parser: "ParseUint", min: 0n, max: 2n ** 64n - 1n };
export const uint16Range: IntRange = { parser: "ParseUint", min: 0n, max: 65535n };

/** An integer as Go's strconv reads it with base 0: decimal, 0x, 0o, 0b, leading 0 = octal. Throws with strconv's words. */
export function parseGoInt(text: string, range: IntRange, base: 0 | 10 = 0): number {
  const value = toBigInt(text, base, range.min < 0n);
  if (value === undefined) throw new Error(`strconv.${range.parser}: parsing ${goQuote(text)}: invalid syntax`);
  if (value < range.min || value > range.max) {
    throw new Error(`strconv.${range.parser}: parsing ${goQuote(text)}: value out of range`);
  }
  return Number(value);
}

function toBigInt(text: string, base: 0 | 10, signed: boolean): bigint | undefined {
  const match = (signed ? /^([+-]?)(\w+)$/ : /^()(\w+)$/).exec(text);
  const digits = match?.[2];
  if (digits === undefined) return undefined;
  const sign = match?.[1] === "-" ? -1n : 1n;
  if (/^\d+$/.test(digits) && (base === 10 || digits === "0" || !digits.startsWith("0"))) return sign * BigInt(digits);
  if (base === 10) return undefined;
  if (/^0[0-7]+$/.test(digits)) return sign * BigInt(`0o${digits.slice(1)}`);
  if (/^0(x[\da-f]+|o[0-7]+|b[01]+)$/i.test(digits)) return sign * BigInt(digits.toLowerCase());
  return undefined;
}

/** `strconv.ParseBool`. Throws with Go's words. */
export function parseGoBool(text: string): boolean {
  const value = goBool(text);
  if (value !== undefined) return value;
  throw new Error(`strconv.ParseBool: parsing ${goQuote(text)}: invalid syntax`);
}

const units: Record<string, number> = { ns: 1, us: 1e3, µs: 1e3, μs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** `time.ParseDuration`: `1h30m`, `-1.5s`, `0`. Returns nanoseconds. Throws with Go's words. */
export function parseGoDuration(text: string): number {
  const body = text.replace(/^[+-]/, "");
  if (body === "0") return 0;
  if (body === "") throw new Error(`time: invalid duration ${goQuote(text)}`);
  let total = 0;
  let rest = body;
  while (rest !== "") {
    const match = /^(\d+\.?\d*|\.\d+)([^\d.]*)/.exec(rest);
    if (!match) throw new Error(`time: invalid duration ${goQuote(text)}`);
    const unit = match[2] ?? "";
    if (unit === "") throw new Error(`time: missing unit in duration ${goQuote(text)}`);
    const scale = units[unit];
    if (scale === undefined) throw new Error(`time: unknown unit ${goQuote(unit)} in duration ${goQuote(text)}`);
    total += Number(match[1]) * scale;
    rest = rest.slice(match[0].length);
  }
  return Math.round(text.startsWith("-") ? -total : total);
}

const sizePattern = /^(\d+(?:\.\d+)*) ?([kKmMgGtTpP])?[iI]?[bB]?$/;

/** docker/go-units `RAMInBytes`: `512`, `512m`, `1.5GiB`: powers of 1024. Throws `invalid size: 'x'`. */
export function parseRamBytes(text: string): number {
  const match = sizePattern.exec(text);
  const size = Number(match?.[1]);
  if (!match || Number.isNaN(size)) throw new Error(`invalid size: '${text}'`);
  const exponent = match[2] === undefined ? 0 : "kmgtp".indexOf(match[2].toLowerCase()) + 1;
  return Math.trunc(size * 1024 ** exponent);
}
