/**
 * One 512-byte tar header block, read and written: POSIX ustar, GNU, old (v7) and star. Sources: POSIX.1-2017 pax(1), GNU tar's
 * manual "Basic Tar Format". Extension records (PAX, GNU long names) are put together by the reader and writer.
 */
import { invalidArgument } from "../../base/errors.ts";
import { blockSize, type DataRange } from "./tar-entry.ts";

export interface RawHeader {
  name: string;
  mode: number;
  uid: number;
  gid: number;
  /** Bytes that follow in the archive. */
  size: number;
  mtime: number;
  /** The type flag as a character; NUL reads as `0`. */
  flag: string;
  linkName: string;
  deviceMajor: number;
  deviceMinor: number;
  gnu: boolean;
}

/** The message of Go's archive/tar, which Docker's users know. */
export const invalidHeader = () => invalidArgument("archive/tar: invalid tar header");

export function isZeroBlock(block: Buffer): boolean {
  return block.equals(zeroBlock);
}

const zeroBlock = Buffer.alloc(blockSize);

/** Throws when the checksum or a number is wrong. */
export function parseHeader(block: Buffer): RawHeader {
  if (!checksumMatches(block)) throw invalidHeader();
  const magic = block.toString("latin1", 257, 265);
  const ustar = magic === "ustar\u000000";
  const gnu = magic === "ustar  \0";
  const prefix = ustar ? readString(block, 345, block.toString("latin1", 508, 512) === "tar\0" ? 131 : 155) : "";
  const name = readString(block, 0, 100);
  const flag = block.toString("latin1", 156, 157);
  const devices = (ustar || gnu) && (flag === "3" || flag === "4");
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    mode: readNumber(block, 100, 8) & 0o7777,
    uid: readNumber(block, 108, 8),
    gid: readNumber(block, 116, 8),
    size: readNumber(block, 124, 12),
    mtime: readNumber(block, 136, 12),
    flag: flag === "\0" ? "0" : flag,
    linkName: readString(block, 157, 100),
    deviceMajor: devices ? readNumber(block, 329, 8) : 0,
    deviceMinor: devices ? readNumber(block, 337, 8) : 0,
    gnu,
  };
}

function checksumMatches(block: Buffer): boolean {
  let unsigned = 8 * 32;
  let signed = unsigned;
  for (let i = 0; i < blockSize; i++) {
    if (i === 148) i = 156;
    const byte = block[i] as number;
    unsigned += byte;
    signed += byte < 128 ? byte : byte - 256;
  }
  const expected = readNumber(block, 148, 8);
  return expected === unsigned || expected === signed;
}

function readString(block: Buffer, start: number, length: number): string {
  const end = block.indexOf(0, start);
  return block.toString("latin1", start, end < 0 || end > start + length ? start + length : end);
}

/** Octal digits, or base 256 (big endian, two's complement) when the first bit is set. */
export function readNumber(block: Buffer, start: number, length: number): number {
  const head = block[start] as number;
  if (head & 0x80) {
    let value = head & 0x40 ? (head & 0x7f) - 128 : head & 0x3f;
    for (let i = start + 1; i < start + length; i++) value = value * 256 + (block[i] as number);
    if (!Number.isSafeInteger(value)) throw invalidHeader();
    return value;
  }
  let value = 0;
  let i = start;
  const end = start + length;
  while (i < end && (block[i] === 32 || block[i] === 0)) i++;
  for (; i < end; i++) {
    const digit = (block[i] as number) - 48;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  if (i < end && block[i] !== 32 && block[i] !== 0) throw invalidHeader();
  return value;
}

/** The entries of an old GNU sparse map: `count` of them from `start`; an empty one ends the map. */
export function readGnuSparse(block: Buffer, start: number, count: number, into: DataRange[]): void {
  for (let i = 0; i < count; i++) {
    const at = start + i * 24;
    if (block[at] === 0) return;
    into.push({ offset: readNumber(block, at, 12), length: readNumber(block, at + 12, 12) });
  }
}

export interface HeaderFields {
  name: string;
  linkName: string;
  flag: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtime: number;
  deviceMajor: number;
  deviceMinor: number;
}

/** Largest values that fit as octal digits. */
export const maxOctal8 = 0o7777777;
export const maxOctal12 = 0o77777777777;

/**
 * Writes a ustar block at `at`. Fields must fit (the writer puts what does not into PAX records): names are cut, numbers too
 * large become 0, as Go's writer does.
 */
export function writeHeader(out: Buffer, at: number, fields: HeaderFields): void {
  out.fill(0, at, at + blockSize);
  const [prefix, name] = splitName(fields.name) ?? ["", fields.name];
  out.write(name, at, 100, "latin1");
  writeOctal(out, at + 100, 8, fields.mode, maxOctal8);
  writeOctal(out, at + 108, 8, fields.uid, maxOctal8);
  writeOctal(out, at + 116, 8, fields.gid, maxOctal8);
  writeOctal(out, at + 124, 12, fields.size, maxOctal12);
  writeOctal(out, at + 136, 12, fields.mtime, maxOctal12);
  out.write(fields.flag, at + 156, 1, "latin1");
  out.write(fields.linkName, at + 157, 100, "latin1");
  out.write("ustar\u000000", at + 257, 8, "latin1");
  writeOctal(out, at + 329, 8, fields.deviceMajor, maxOctal8);
  writeOctal(out, at + 337, 8, fields.deviceMinor, maxOctal8);
  out.write(prefix, at + 345, 155, "latin1");
  let sum = 8 * 32;
  for (let i = at; i < at + blockSize; i++) sum += out[i] as number;
  out.write(`${sum.toString(8).padStart(6, "0")}\0 `, at + 148, 8, "latin1");
}

function writeOctal(out: Buffer, at: number, length: number, value: number, max: number): void {
  const fits = value >= 0 && value <= max ? value : 0;
  out.write(fits.toString(8).padStart(length - 1, "0"), at, length - 1, "latin1");
}

/** A name as ustar's prefix and name, or undefined when it fits neither way. */
export function splitName(name: string): [prefix: string, name: string] | undefined {
  if (name.length <= 100) return ["", name];
  if (name.length > 256) return undefined;
  const cut = name.lastIndexOf("/", Math.min(155, name.length - 2));
  if (cut <= 0 || name.length - cut - 1 > 100) return undefined;
  return [name.slice(0, cut), name.slice(cut + 1)];
}
