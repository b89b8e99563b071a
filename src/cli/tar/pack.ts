/** A local file or folder as a stream of tar bytes, made while it is read: nothing is held but a chunk. */
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync, type Stats } from "node:fs";
import { join } from "node:path";
import { type EntryType, encodeHeader, paddingOf, type TarEntry } from "./tar-format.ts";

/** Bytes per chunk: large enough for few system calls, small enough to overlap reading and sending. */
const chunkSize = 1 << 20;

/** What happens to a path: packed, left out with all below it, or left out but looked into. */
export type Choice = "pack" | "skip" | "look";

/**
 * `path` under the name `root` (with all below it). Sockets are left out. Paths and names are raw strings; `choose` gets those relative
 * to `path`.
 */
export async function* packTree(
  path: string,
  root: string,
  choose: (relative: string) => Choice = () => "pack",
): AsyncGenerator<Uint8Array> {
  const buffer = new ChunkBuffer();
  const links = new Map<string, string>();
  for (const [file, name] of walk(path, root, choose)) {
    const stat = lstatSync(raw(file));
    const entry = toEntry(file, name, stat, links);
    if (!entry) continue;
    yield* buffer.append(encodeHeader(entry));
    if (entry.size > 0) yield* packContent(file, entry.size, buffer);
  }
  yield* buffer.append(Buffer.alloc(1024));
  yield* buffer.flush();
}

function* walk(top: string, root: string, choose: (relative: string) => Choice): Generator<[string, string]> {
  function* visit(path: string, relative: string): Generator<[string, string]> {
    const choice = relative === "" ? "pack" : choose(relative);
    if (choice === "skip") return;
    if (choice === "pack") yield [path, relative === "" ? root : `${root}/${relative}`];
    if (!lstatSync(raw(path)).isDirectory()) return;
    const names = readdirSync(raw(path), { encoding: "latin1" }).sort();
    for (const child of names) yield* visit(join(path, child), relative === "" ? child : `${relative}/${child}`);
  }
  yield* visit(top, "");
}

function toEntry(file: string, name: string, stat: Stats, links: Map<string, string>): TarEntry | undefined {
  let type = typeOf(stat);
  if (!type) return undefined;
  let linkName = type === "symlink" ? readlinkSync(raw(file), { encoding: "latin1" }) : "";
  if (type !== "directory" && stat.nlink > 1) {
    const inode = `${stat.dev}:${stat.ino}`;
    const first = links.get(inode);
    if (first === undefined) links.set(inode, name);
    else [type, linkName] = ["hardlink", first];
  }
  return {
    name: type === "directory" ? `${name}/` : name,
    type,
    linkName,
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    size: type === "file" ? stat.size : 0,
    mtime: Math.floor(stat.mtimeMs / 1000),
    deviceMajor: type === "character" || type === "block" ? Math.floor(stat.rdev / 256) & 0xfff : 0,
    deviceMinor:
      type === "character" || type === "block" ? (stat.rdev & 0xff) | (Math.floor(stat.rdev / 4096) & 0xfff00) : 0,
  };
}

function typeOf(stat: Stats): EntryType | undefined {
  if (stat.isFile()) return "file";
  if (stat.isDirectory()) return "directory";
  if (stat.isSymbolicLink()) return "symlink";
  if (stat.isCharacterDevice()) return "character";
  if (stat.isBlockDevice()) return "block";
  return stat.isFIFO() ? "fifo" : undefined;
}

function* packContent(file: string, size: number, buffer: ChunkBuffer): Generator<Uint8Array> {
  const fd = openSync(raw(file), "r");
  try {
    let left = size;
    while (left > 0) {
      const room = buffer.room(left);
      const count = readSync(fd, room, 0, room.length, null);
      if (count === 0) throw new Error(`archive/tar: missed writing ${left} bytes`);
      left -= count;
      yield* buffer.used(count);
    }
  } finally {
    closeSync(fd);
  }
  yield* buffer.append(Buffer.alloc(paddingOf(size)));
}

/** Collects bytes into chunks. Each chunk is a buffer of its own, since the receiver may keep it. */
class ChunkBuffer {
  private buffer = Buffer.allocUnsafeSlow(chunkSize);
  private fill = 0;

  *append(bytes: Buffer): Generator<Uint8Array> {
    let rest = bytes;
    while (rest.length > 0) {
      const room = this.room(rest.length);
      rest.copy(room, 0, 0, room.length);
      rest = rest.subarray(room.length);
      yield* this.used(room.length);
    }
  }

  /** Up to `wanted` bytes for the caller to fill; then `used` says how many were. */
  room(wanted: number): Buffer {
    return this.buffer.subarray(this.fill, Math.min(chunkSize, this.fill + wanted));
  }

  *used(count: number): Generator<Uint8Array> {
    this.fill += count;
    if (this.fill === chunkSize) yield* this.flush();
  }

  *flush(): Generator<Uint8Array> {
    if (this.fill === 0) return;
    const chunk = this.buffer.subarray(0, this.fill);
    this.buffer = Buffer.allocUnsafeSlow(chunkSize);
    this.fill = 0;
    yield chunk;
  }
}

function raw(path: string): Buffer {
  return Buffer.from(path, "latin1");
}
