/**
 * Writes a tar archive as Docker's does: ustar headers, PAX records only for what does not fit, times cut to seconds, no user
 * names. Large holes of sparse files are left out (GNU sparse 1.0, which Go, GNU tar, bsdtar and Python read).
 */
import { seekData } from "../../linux/files.ts";
import { encodePax } from "./pax.ts";
import { blockSize, type DataRange, type EntrySink, type EntryType, paddingOf, type TarEntry } from "./tar-entry.ts";
import { maxOctal8, maxOctal12, splitName, writeHeader } from "./tar-header.ts";

const flags: Record<EntryType, string> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

/** A file with less of holes than this is written out as it reads. */
const minHole = 1 << 20;

/** Where the bytes of an archive go. */
export interface TarSink {
  write(chunk: Uint8Array): void;
  /** Room for `size` bytes (at most 1 MiB) that the caller fills at once. */
  reserve(size: number): Buffer;
  /** A stretch of a file; behind its end are zeros. */
  content(descriptor: number, offset: number, length: number): void;
  flush(): void;
}

export class TarWriter implements EntrySink {
  private readonly sink: TarSink;

  constructor(sink: TarSink) {
    this.sink = sink;
  }

  add(entry: TarEntry): void {
    this.header(entry, 0, entry.name, []);
  }

  addFile(entry: TarEntry, descriptor: number, blocks: number): void {
    const ranges = entry.size - blocks * 512 >= minHole ? dataRanges(descriptor, entry.size) : undefined;
    if (ranges) {
      this.addSparse(entry, descriptor, ranges);
      return;
    }
    this.header(entry, entry.size, entry.name, []);
    this.sink.content(descriptor, 0, entry.size);
    this.zeros(paddingOf(entry.size));
  }

  private addSparse(entry: TarEntry, descriptor: number, ranges: DataRange[]): void {
    const map = Buffer.from(
      `${ranges.length}\n${ranges.map(({ offset, length }) => `${offset}\n${length}\n`).join("")}`,
    );
    const stored = ranges.reduce((sum, { length }) => sum + length, map.length + paddingOf(map.length));
    const slash = entry.name.lastIndexOf("/") + 1;
    this.header(entry, stored, `${entry.name.slice(0, slash)}GNUSparseFile.0/${entry.name.slice(slash)}`, [
      ["GNU.sparse.major", "1"],
      ["GNU.sparse.minor", "0"],
      ["GNU.sparse.name", entry.name],
      ["GNU.sparse.realsize", String(entry.size)],
    ]);
    this.sink.write(map);
    this.zeros(paddingOf(map.length));
    for (const { offset, length } of ranges) this.sink.content(descriptor, offset, length);
    this.zeros(paddingOf(stored));
  }

  /** Two blocks of zeros, and everything out. */
  end(): void {
    this.zeros(2 * blockSize);
    this.sink.flush();
  }

  private header(entry: TarEntry, size: number, name: string, records: [string, string][]): void {
    const pax = [...records, ...paxRecords(entry, size, name)];
    const fields = { ...entry, name, size, flag: flags[entry.type] };
    if (pax.length > 0) {
      const content = Buffer.from(encodePax(pax), "latin1");
      const slash = name.replace(/\/$/, "").lastIndexOf("/") + 1;
      const paxName = `${name.slice(0, slash)}PaxHeaders.0/${name.slice(slash)}`.slice(0, 100);
      const zero = { mode: 0, uid: 0, gid: 0, mtime: 0, deviceMajor: 0, deviceMinor: 0, linkName: "" };
      writeHeader(this.sink.reserve(blockSize), 0, { ...zero, name: paxName, flag: "x", size: content.length });
      this.sink.write(content);
      this.zeros(paddingOf(content.length));
    }
    writeHeader(this.sink.reserve(blockSize), 0, fields);
  }

  private zeros(size: number): void {
    if (size > 0) this.sink.reserve(size).fill(0);
  }
}

/** What the ustar fields cannot hold. */
function paxRecords(entry: TarEntry, size: number, name: string): [string, string][] {
  const records: [string, string][] = [];
  if (!fitsName(name) && name === entry.name) records.push(["path", name]);
  if (entry.linkName.length > 100 || !isAscii(entry.linkName)) records.push(["linkpath", entry.linkName]);
  if (size > maxOctal12) records.push(["size", String(size)]);
  if (entry.uid > maxOctal8) records.push(["uid", String(entry.uid)]);
  if (entry.gid > maxOctal8) records.push(["gid", String(entry.gid)]);
  if (entry.mtime < 0 || entry.mtime > maxOctal12) records.push(["mtime", String(entry.mtime)]);
  for (const [key, value] of entry.xattrs) {
    records.push([`SCHILY.xattr.${key}`, Buffer.from(value).toString("latin1")]);
  }
  return records;
}

function fitsName(name: string): boolean {
  return isAscii(name) && splitName(name) !== undefined;
}

function isAscii(text: string): boolean {
  return /^[\0-\x7f]*$/.test(text);
}

/** Where a file holds data, or undefined when it has no hole worth leaving out. */
function dataRanges(descriptor: number, size: number): DataRange[] | undefined {
  const ranges: DataRange[] = [];
  let total = 0;
  for (let at = 0; at < size; ) {
    const offset = seekData(descriptor, at, "data");
    if (offset === undefined || offset >= size) break;
    const end = Math.min(seekData(descriptor, offset, "hole") ?? size, size);
    ranges.push({ offset, length: end - offset });
    total += end - offset;
    at = end;
  }
  // An empty range at the end tells readers the file's size, as GNU tar does.
  if (ranges.length === 0 || (ranges.at(-1) as DataRange).offset + (ranges.at(-1) as DataRange).length < size) {
    ranges.push({ offset: size, length: 0 });
  }
  return size - total >= minHole ? ranges : undefined;
}
