/**
 * The tar blocks that `cp` reads and writes: POSIX ustar headers, PAX records for what does not fit, GNU long names on reading. Names are
 * raw strings, one character for one byte, because file names need not be UTF-8. Source: POSIX.1-2017 pax(1).
 */

export const blockSize = 512;

export type EntryType = "file" | "hardlink" | "symlink" | "character" | "block" | "directory" | "fifo";

const flags: Record<EntryType, string> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

export const typeOfFlag: Record<string, EntryType> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
};

export interface TarEntry {
  name: string;
  type: EntryType;
  linkName: string;
  mode: number;
  uid: number;
  gid: number;
  /** Bytes of content that follow; 0 for all but files. */
  size: number;
  /** Seconds since 1970. */
  mtime: number;
  deviceMajor: number;
  deviceMinor: number;
}

/** Bytes that fill a content up to a whole block. */
export function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

const maxOctal = 0o77777777777;
const maxId = 0o7777777;

/** The header blocks of an entry: one, or with PAX records before it. */
export function encodeHeader(entry: TarEntry): Buffer {
  const records: [string, string][] = [];
  if (entry.name.length > 100) records.push(["path", entry.name]);
  if (entry.linkName.length > 100) records.push(["linkpath", entry.linkName]);
  if (entry.size > maxOctal) records.push(["size", String(entry.size)]);
  if (entry.uid > maxId) records.push(["uid", String(entry.uid)]);
  if (entry.gid > maxId) records.push(["gid", String(entry.gid)]);
  if (entry.mtime < 0 || entry.mtime > maxOctal) records.push(["mtime", String(entry.mtime)]);
  const header = encodeBlock(entry, flags[entry.type]);
  if (records.length === 0) return header;
  const body = Buffer.from(records.map(([key, value]) => encodeRecord(key, value)).join(""), "latin1");
  const name = `PaxHeaders.0/${entry.name.replace(/\/$/, "").split("/").at(-1) ?? ""}`;
  const extension: TarEntry = {
    ...entry,
    name: name.slice(0, 100),
    linkName: "",
    size: body.length,
    mode: 0,
    uid: 0,
    gid: 0,
    mtime: 0,
  };
  return Buffer.concat([encodeBlock(extension, "x"), body, Buffer.alloc(paddingOf(body.length)), header]);
}

function encodeRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}

function encodeBlock(entry: TarEntry, flag: string): Buffer {
  const block = Buffer.alloc(blockSize);
  const octal = (value: number, at: number, width: number, max: number) =>
    block.write((value < 0 || value > max ? 0 : value).toString(8).padStart(width - 1, "0"), at, "latin1");
  block.write(entry.name.slice(0, 100), 0, "latin1");
  octal(entry.mode, 100, 8, maxId);
  octal(entry.uid, 108, 8, maxId);
  octal(entry.gid, 116, 8, maxId);
  octal(entry.size, 124, 12, maxOctal);
  octal(Math.floor(entry.mtime), 136, 12, maxOctal);
  block.write(flag, 156, "latin1");
  block.write(entry.linkName.slice(0, 100), 157, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  octal(entry.deviceMajor, 329, 8, maxId);
  octal(entry.deviceMinor, 337, 8, maxId);
  block.write(`${checksum(block).toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

/** Sum of all bytes, those of the checksum's own field taken as spaces. */
function checksum(block: Buffer): number {
  let sum = 0;
  for (let at = 0; at < blockSize; at++) sum += at >= 148 && at < 156 ? 32 : (block[at] as number);
  return sum;
}

export interface DecodedBlock extends Omit<TarEntry, "type"> {
  readonly flag: string;
}

/** Throws Go's "archive/tar: invalid tar header" on a wrong checksum. */
export function decodeBlock(block: Buffer): DecodedBlock {
  if (number(block, 148, 8) !== checksum(block)) throw new Error("archive/tar: invalid tar header");
  const isUstar = block.toString("latin1", 257, 262) === "ustar";
  const isGnu = block.toString("latin1", 262, 264) === " \0";
  const prefix = isUstar && !isGnu ? text(block, 345, 155) : "";
  const name = text(block, 0, 100);
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    flag: String.fromCharCode(block[156] ?? 0),
    linkName: text(block, 157, 100),
    mode: number(block, 100, 8) & 0o7777,
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    size: number(block, 124, 12),
    mtime: number(block, 136, 12),
    deviceMajor: isUstar ? number(block, 329, 8) : 0,
    deviceMinor: isUstar ? number(block, 337, 8) : 0,
  };
}

function text(block: Buffer, at: number, width: number): string {
  const end = block.indexOf(0, at);
  return block.toString("latin1", at, end < 0 || end > at + width ? at + width : end);
}

/** Octal text, or GNU's base-256 when the first bit is set. */
function number(block: Buffer, at: number, width: number): number {
  const first = block[at] ?? 0;
  if (first & 0x80) {
    let value = first & 0x7f;
    for (let index = 1; index < width; index++) value = value * 256 + (block[at + index] ?? 0);
    return value;
  }
  const digits = block.toString("latin1", at, at + width).replace(/[\0 ]+/g, "");
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

export function parsePax(body: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(32, at);
    const length = space < 0 ? Number.NaN : Number(body.toString("latin1", at, space));
    const equals = body.indexOf(61, space);
    if (!(length > 0) || at + length > body.length || equals < 0) throw new Error("archive/tar: invalid tar header");
    records.set(body.toString("latin1", space + 1, equals), body.toString("latin1", equals + 1, at + length - 1));
    at += length;
  }
  return records;
}
