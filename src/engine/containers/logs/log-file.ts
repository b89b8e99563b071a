/**
 * Reading json-file logs: `path` is written now, `path.1`, `path.2.gz` … are older, as the shim rotates them.
 * Entries come back in the order written, across files, none lost while the shim rotates under a reader.
 */
import { type FileHandle, open, readdir, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { fromRfc3339 } from "../../../base/clock.ts";
import { errorCode } from "../../../base/errors.ts";

export interface LogEntry {
  log: string;
  stream: "stdout" | "stderr";
  /** RFC 3339 with nanoseconds, as written. */
  time: string;
  /** From `--log-opt labels`, `env`, `tag`. */
  attrs?: Record<string, string>;
}

const blockSize = 256 * 1024;
const newline = 10;

/** Older files of a log, oldest first. */
export async function rotatedFiles(path: string): Promise<string[]> {
  const names = await readdir(dirname(path)).catch(() => [] as string[]);
  const numbered = names.flatMap((name) => {
    const match = /^\.(\d+)(?:\.gz)?$/.exec(name.startsWith(basename(path)) ? name.slice(basename(path).length) : "");
    return match ? [{ name, number: Number(match[1]) }] : [];
  });
  return numbered.sort((a, b) => b.number - a.number).map(({ name }) => join(dirname(path), name));
}

/** A whole rotated file as text lines' bytes; empty when it was rotated away meanwhile. */
async function readRotated(path: string): Promise<Buffer> {
  try {
    const bytes = await readFile(path);
    return path.endsWith(".gz") ? await promisify(gunzip)(bytes) : bytes;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
}

/** Parses complete lines; a line that is not JSON (a torn write at a power cut) is skipped. */
export function parseEntries(text: string): LogEntry[] {
  const entries: LogEntry[] = [];
  for (const line of text.split("\n")) {
    if (line === "") continue;
    try {
      entries.push(JSON.parse(line) as LogEntry);
    } catch {
      // A torn line carries nothing that can be shown.
    }
  }
  return entries;
}

/** Reads one open log file forward from an offset, in batches of complete lines. */
export class LogTail {
  private readonly handle: FileHandle;
  private readonly limit: number;
  private position: number;
  private rest: Buffer = Buffer.alloc(0);

  /** Reads up to `limit` bytes of the file. */
  constructor(handle: FileHandle, position: number, limit = Number.POSITIVE_INFINITY) {
    this.handle = handle;
    this.limit = limit;
    this.position = position;
  }

  /** The next complete lines as text; undefined at the present end. */
  async next(): Promise<string | undefined> {
    for (;;) {
      const want = Math.min(blockSize, this.limit - this.position);
      if (want <= 0) return undefined;
      const block = Buffer.allocUnsafe(want);
      const { bytesRead } = await this.handle.read(block, 0, want, this.position);
      if (bytesRead === 0) return undefined;
      this.position += bytesRead;
      const bytes = Buffer.concat([this.rest, block.subarray(0, bytesRead)]);
      const end = bytes.lastIndexOf(newline) + 1;
      this.rest = bytes.subarray(end);
      if (end > 0) return bytes.toString("utf8", 0, end);
    }
  }

  async inode(): Promise<number> {
    return (await this.handle.stat()).ino;
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

export interface PastOptions {
  /** Lines wanted from the end; undefined: all. */
  tail?: number | undefined;
  /** Where to stop. */
  end?: LogEnd | undefined;
}

/** A place in a log: `offset` bytes into the file with this inode, which may have been rotated since. */
export interface LogEnd {
  inode: number;
  offset: number;
}

export interface OpenLog {
  /** Text of older files that is part of the answer, oldest first. */
  older: string[];
  /** The file written now, positioned where the answer goes on; undefined when nothing was ever logged. */
  current: LogTail | undefined;
}

/** Opens a log for reading. The current file is opened first, so that what rotates meanwhile is read through the open handle. */
export async function openLog(path: string, { tail, end }: PastOptions): Promise<OpenLog> {
  const handle = await open(path, "r").catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  });
  if (!handle) return { older: [], current: undefined };
  if (end && (await handle.stat()).ino !== end.inode) {
    await handle.close();
    return openRotatedAt(path, end);
  }
  if (tail === undefined) {
    const older = await Promise.all(
      (await rotatedFiles(path)).map(async (file) => (await readRotated(file)).toString()),
    );
    return { older, current: new LogTail(handle, 0, end?.offset) };
  }
  const { position, missing } = await findTail(handle, tail);
  const older = missing > 0 ? await tailOfRotated(path, missing) : [];
  return { older, current: new LogTail(handle, position) };
}

/** For an end in a file that has been rotated since: that file up to the offset, after those that are older. */
async function openRotatedAt(path: string, end: LogEnd): Promise<OpenLog> {
  const older: string[] = [];
  for (const file of await rotatedFiles(path)) {
    const handle = file.endsWith(".gz") ? undefined : await open(file, "r").catch(() => undefined);
    if (handle && (await handle.stat()).ino === end.inode)
      return { older, current: new LogTail(handle, 0, end.offset) };
    await handle?.close();
    older.push((await readRotated(file)).toString());
  }
  return { older, current: undefined };
}

async function tailOfRotated(path: string, wanted: number): Promise<string[]> {
  const texts: string[] = [];
  let missing = wanted;
  for (const file of (await rotatedFiles(path)).reverse()) {
    if (missing <= 0) break;
    const lines = (await readRotated(file)).toString().split("\n").filter(Boolean);
    texts.unshift(lines.slice(-missing).join("\n"));
    missing -= lines.length;
  }
  return texts;
}

/** Offset where the last `wanted` lines begin, and how many lines the file lacks for that. */
async function findTail(handle: FileHandle, wanted: number): Promise<{ position: number; missing: number }> {
  const { size } = await handle.stat();
  if (wanted <= 0) return { position: size, missing: 0 };
  let found = 0;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - blockSize);
    const block = Buffer.allocUnsafe(end - start);
    await handle.read(block, 0, block.length, start);
    for (let at = block.lastIndexOf(newline); at >= 0; at = at === 0 ? -1 : block.lastIndexOf(newline, at - 1)) {
      if (start + at === size - 1) continue; // The newline that ends the last line begins no other.
      if (++found === wanted) return { position: start + at + 1, missing: 0 };
    }
    end = start;
  }
  return { position: 0, missing: wanted - (size > 0 ? found + 1 : 0) };
}

export interface TimeWindow {
  since?: bigint | undefined;
  until?: bigint | undefined;
}

/** Where an entry stands against a window of time: `after` means that nothing later can match. */
export function windowPosition(entry: LogEntry, { since, until }: TimeWindow): "before" | "inside" | "after" {
  if (since === undefined && until === undefined) return "inside";
  const time = fromRfc3339(entry.time) ?? 0n;
  if (since !== undefined && time < since) return "before";
  return until !== undefined && time > until ? "after" : "inside";
}
