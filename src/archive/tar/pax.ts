/** PAX extended header records: `LENGTH key=value\n`. Source: POSIX.1-2017, pax(1), "pax Extended Header". */

import type { DataRange } from "./tar-entry.ts";
import { invalidHeader } from "./tar-header.ts";

/** Keys and values as raw strings, in order; a later record of the same key counts, but for the pairs of a sparse map 0.0. */
export type PaxRecords = [key: string, value: string][];

export function parsePax(content: Buffer): PaxRecords {
  const records: PaxRecords = [];
  let at = 0;
  while (at < content.length) {
    // Some writers fill the rest of the block with NULs.
    if (content[at] === 0) break;
    const space = content.indexOf(32, at);
    const length = space < 0 ? Number.NaN : Number(content.toString("latin1", at, space));
    const end = at + length;
    if (!Number.isInteger(length) || length < 5 || end > content.length || content[end - 1] !== 10)
      throw invalidHeader();
    const equals = content.indexOf(61, space);
    if (equals <= space + 1 || equals >= end) throw invalidHeader();
    records.push([content.toString("latin1", space + 1, equals), content.toString("latin1", equals + 1, end - 1)]);
    at = end;
  }
  return records;
}

export function encodePax(records: Iterable<readonly [key: string, value: string]>): string {
  let out = "";
  for (const [key, value] of records) {
    const rest = ` ${key}=${value}\n`;
    let length = rest.length + 1;
    while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
    out += length + rest;
  }
  return out;
}

/** A decimal time with fraction, `-1.5` meaning half a second before -1. */
export function parsePaxTime(text: string): { seconds: number; nanos: number } {
  const match = /^(-?)(\d+)(?:\.(\d*))?$/.exec(text);
  if (!match) throw invalidHeader();
  const whole = Number(match[2]);
  const nanos = Number((match[3] ?? "").slice(0, 9).padEnd(9, "0"));
  if (match[1] === "") return { seconds: whole, nanos };
  return nanos === 0 ? { seconds: -whole, nanos: 0 } : { seconds: -whole - 1, nanos: 1_000_000_000 - nanos };
}

export function parsePaxNumber(text: string): number {
  const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw invalidHeader();
  return value;
}

/** The sparse map of GNU's formats 0.0 (pairs of records) and 0.1 (one list); undefined when the file is not sparse that way. */
export function paxSparseRanges(records: PaxRecords): DataRange[] | undefined {
  const map = records.findLast(([key]) => key === "GNU.sparse.map")?.[1];
  const numbers =
    map !== undefined
      ? map.split(",").filter((part) => part !== "")
      : records
          .filter(([key]) => key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes")
          .map(([, value]) => value);
  if (numbers.length === 0 && !records.some(([key]) => key === "GNU.sparse.numblocks")) return undefined;
  return pairs(numbers);
}

export function pairs(numbers: string[]): DataRange[] {
  if (numbers.length % 2 !== 0) throw invalidHeader();
  const ranges: DataRange[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    ranges.push({ offset: parsePaxNumber(numbers[i] as string), length: parsePaxNumber(numbers[i + 1] as string) });
  }
  return ranges;
}

/** Throws unless the ranges are in order, inside a file of `size` bytes and as long together as `stored`. */
export function checkRanges(ranges: DataRange[], size: number, stored: number): void {
  let end = 0;
  let total = 0;
  for (const { offset, length } of ranges) {
    if (offset < end || length < 0 || offset + length > size) throw invalidHeader();
    end = offset + length;
    total += length;
  }
  if (total !== stored) throw invalidHeader();
}
