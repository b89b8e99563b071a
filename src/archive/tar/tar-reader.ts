/**
 * Reads a tar archive entry by entry: ustar, v7, star, GNU (long names, sparse, base-256 numbers) and PAX (sizes, names, times,
 * xattrs of SCHILY and LIBARCHIVE, sparse 0.0, 0.1 and 1.0). Hostile input ends in an error, never in unbounded memory.
 */
import { invalidArgument } from "../../base/errors.ts";
import { type ByteSource, unexpectedEof } from "../byte-source.ts";
import * as pax from "./pax.ts";
import { blockSize, type DataRange, type EntryType, paddingOf, type TarEntry } from "./tar-entry.ts";
import { invalidHeader, isZeroBlock, parseHeader, type RawHeader, readGnuSparse, readNumber } from "./tar-header.ts";

/** Go's limit for the content of extension records. */
const maxExtension = 1 << 20;
const maxSparseRanges = 1 << 20;

const types: Record<string, EntryType> = {
  "0": "file",
  "7": "file",
  S: "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  D: "directory",
  "6": "fifo",
};

/** What extension records say about the next entry. */
interface Extensions {
  records: pax.PaxRecords;
  longName?: string;
  longLink?: string;
}

export class TarReader {
  private readonly source: ByteSource;
  private readonly raw: (bytes: Buffer) => void;
  private padding = 0;
  /** Bytes of the current entry's content that were not read yet. */
  unread = 0;

  /** `raw` sees, in order, every byte of the archive that `content` does not give to someone else. */
  constructor(source: ByteSource, raw: (bytes: Buffer) => void = () => {}) {
    this.source = source;
    this.raw = raw;
  }

  /** The next entry, or undefined after the last one; content of the one before that was not read counts as raw bytes. */
  next(): TarEntry | undefined {
    this.skipContent();
    const extensions: Extensions = { records: [] };
    for (;;) {
      const header = this.readHeader();
      if (!header) return undefined;
      if (this.readExtension(header, extensions)) continue;
      const type = header.flag === "0" && header.name.endsWith("/") ? "directory" : types[header.flag];
      if (header.flag === "V") this.skip(header.size);
      else if (type === undefined) throw invalidArgument(`unhandled tar header type ${header.flag.charCodeAt(0)}\n`);
      else return this.toEntry(header, type, extensions);
    }
  }

  /** Gives the entry's content to `sink`, in chunks that are valid only during the call. */
  content(sink: (chunk: Buffer) => void): void {
    while (this.unread > 0) {
      const chunk = this.source.some(this.unread);
      if (!chunk) throw unexpectedEof();
      this.unread -= chunk.length;
      sink(chunk);
    }
  }

  /** Reads what follows the last entry to the end of the stream, as raw bytes. */
  drain(): void {
    for (let chunk = this.source.some(1 << 20); chunk; chunk = this.source.some(1 << 20)) this.raw(chunk);
  }

  private skipContent(): void {
    this.content(this.raw);
    // The docker CLI's archive of a context with `-f` ends in the middle of the padding, and Go takes that for the end.
    while (this.padding > 0) {
      const chunk = this.source.some(this.padding);
      if (!chunk) break;
      this.padding -= chunk.length;
      this.raw(chunk);
    }
    this.padding = 0;
  }

  private skip(size: number): void {
    this.unread = size + paddingOf(size);
    this.content(this.raw);
  }

  private readBlock(): Buffer | undefined {
    const block = this.source.take(blockSize);
    if (block) this.raw(block);
    return block;
  }

  private readHeader(): RawHeader | undefined {
    const block = this.readBlock();
    if (!block) return undefined;
    if (!isZeroBlock(block)) {
      const header = parseHeader(block);
      if (header.flag === "S") this.gnuRanges = readGnuHeaderSparse(block, () => this.readBlock());
      return header;
    }
    const second = this.readBlock();
    if (second && !isZeroBlock(second)) throw invalidHeader();
    return undefined;
  }

  private gnuRanges: { ranges: DataRange[]; size: number } | undefined;

  /** Takes in a record that describes the entry after it; false when the header is an entry's own. */
  private readExtension(header: RawHeader, into: Extensions): boolean {
    if (header.flag === "g") this.skip(header.size);
    else if (header.flag === "x" || header.flag === "X") into.records = pax.parsePax(this.readSmall(header.size));
    else if (header.flag === "L") into.longName = cutAtNul(this.readSmall(header.size));
    else if (header.flag === "K") into.longLink = cutAtNul(this.readSmall(header.size));
    else return false;
    return true;
  }

  private readSmall(size: number): Buffer {
    if (size < 0 || size > maxExtension) throw invalidArgument("archive/tar: header field too long");
    const chunks: Buffer[] = [];
    this.unread = size;
    this.content((chunk) => {
      this.raw(chunk);
      chunks.push(Buffer.from(chunk));
    });
    this.unread = paddingOf(size);
    this.content(this.raw);
    return Buffer.concat(chunks);
  }

  private toEntry(header: RawHeader, type: EntryType, { records, longName, longLink }: Extensions): TarEntry {
    const last = new Map(records);
    const number = (key: string) => {
      const text = last.get(key);
      return text === undefined ? undefined : pax.parsePaxNumber(text);
    };
    const time = last.get("mtime");
    const mtime = time === undefined ? { seconds: header.mtime, nanos: 0 } : pax.parsePaxTime(time);
    const stored = type === "file" || header.flag === "D" ? (number("size") ?? header.size) : 0;
    if (stored < 0) throw invalidHeader();
    this.unread = stored;
    this.padding = 0;
    const entry: TarEntry = {
      name: longName ?? last.get("path") ?? header.name,
      type,
      linkName: longLink ?? last.get("linkpath") ?? header.linkName,
      mode: header.mode,
      uid: number("uid") ?? header.uid,
      gid: number("gid") ?? header.gid,
      size: type === "file" ? stored : 0,
      mtime: mtime.seconds,
      mtimeNanos: mtime.nanos,
      deviceMajor: header.deviceMajor,
      deviceMinor: header.deviceMinor,
      xattrs: xattrsOf(records),
    };
    if (type === "file") this.readSparse(entry, header, records, last);
    this.padding = paddingOf(stored);
    return entry;
  }

  private readSparse(entry: TarEntry, header: RawHeader, records: pax.PaxRecords, last: Map<string, string>): void {
    const realSize = last.get("GNU.sparse.realsize") ?? last.get("GNU.sparse.size");
    if (header.flag === "S") {
      entry.ranges = this.gnuRanges?.ranges ?? [];
      entry.size = this.gnuRanges?.size ?? 0;
    } else if (last.get("GNU.sparse.major") === "1" && realSize !== undefined) {
      entry.ranges = this.readSparseMap();
    } else {
      const ranges = pax.paxSparseRanges(records);
      if (!ranges) return;
      entry.ranges = ranges;
    }
    if (header.flag !== "S") entry.size = pax.parsePaxNumber(realSize ?? "");
    entry.name = last.get("GNU.sparse.name") ?? entry.name;
    pax.checkRanges(entry.ranges, entry.size, this.unread);
    // GNU tar writes an empty range at the end to tell the file's size: it holds nothing.
    entry.ranges = entry.ranges.filter(({ length }) => length > 0);
  }

  /** Format 1.0: decimal lines before the data, in blocks of their own. */
  private readSparseMap(): DataRange[] {
    let text = "";
    const lines: string[] = [];
    let count = Number.POSITIVE_INFINITY;
    while (lines.length < count) {
      if (this.unread < blockSize) throw invalidHeader();
      const block = this.readBlock();
      if (!block) throw unexpectedEof();
      this.unread -= blockSize;
      const parts = (text + block.toString("latin1")).split("\n");
      text = parts.pop() ?? "";
      lines.push(...parts);
      if (count === Number.POSITIVE_INFINITY && lines[0] !== undefined) count = 1 + 2 * pax.parsePaxNumber(lines[0]);
      if (count > 2 * maxSparseRanges || text.length > blockSize) throw invalidHeader();
    }
    return pax.pairs(lines.slice(1, count));
  }
}

function cutAtNul(content: Buffer): string {
  const end = content.indexOf(0);
  return content.toString("latin1", 0, end < 0 ? content.length : end);
}

function readGnuHeaderSparse(
  header: Buffer,
  readBlock: () => Buffer | undefined,
): { ranges: DataRange[]; size: number } {
  const ranges: DataRange[] = [];
  const size = readNumber(header, 483, 12);
  readGnuSparse(header, 386, 4, ranges);
  let extended = header[482] === 1;
  while (extended) {
    const block = readBlock();
    if (!block) throw unexpectedEof();
    readGnuSparse(block, 0, 21, ranges);
    if (ranges.length > maxSparseRanges) throw invalidHeader();
    extended = block[504] === 1;
  }
  return { ranges, size };
}

const noXattrs: ReadonlyMap<string, Uint8Array> = new Map();

function xattrsOf(records: pax.PaxRecords): ReadonlyMap<string, Uint8Array> {
  let found: Map<string, Uint8Array> | undefined;
  const set = (name: string, value: Uint8Array) => {
    found ??= new Map();
    found.set(name, value);
  };
  for (const [key, value] of records) {
    if (key.startsWith("LIBARCHIVE.xattr.")) {
      const name = key
        .slice(17)
        .replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
      set(name, Buffer.from(value, "base64"));
    }
  }
  for (const [key, value] of records) {
    if (key.startsWith("SCHILY.xattr.")) set(key.slice(13), Buffer.from(value, "latin1"));
  }
  return found ?? noXattrs;
}
