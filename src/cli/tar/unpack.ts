/**
 * Unpacks a tar stream from a container into a local folder. The archive is not trusted: no entry is written through a symbolic link, and
 * none leaves the folder. Files belong to who runs this, as with `docker cp`.
 */
import {
  chmodSync,
  closeSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  rmSync,
  type Stats,
  symlinkSync,
  writeSync,
} from "node:fs";
import { dirname, posix } from "node:path";
import { goQuote } from "../../base/go-quote.ts";
import type { Bytes } from "../../base/streams.ts";
import { TarReader } from "./read.ts";
import type { TarEntry } from "./tar-format.ts";

export interface UnpackOptions {
  /** Changes an entry's name (and a hard link's target) before anything else. */
  readonly rename?: (name: string) => string;
}

/** `folder` is a raw string and exists. Throws an Error in Docker's words when a folder would replace a file or the reverse. */
export async function unpackTree(stream: Bytes, folder: string, options: UnpackOptions = {}): Promise<void> {
  await new Unpacker(folder, options).run(new TarReader(stream));
}

class Unpacker {
  private readonly folder: string;
  private readonly rename: (name: string) => string;
  /** Folders below `folder` that are known to be real ones. */
  private readonly real = new Set<string>();
  /** Times of folders are set last: filling them changes them. */
  private readonly folderTimes: [path: string, mtime: number][] = [];

  constructor(folder: string, options: UnpackOptions) {
    this.folder = folder;
    this.rename = options.rename ?? ((name) => name);
  }

  async run(reader: TarReader): Promise<void> {
    for (let entry = await reader.next(); entry; entry = await reader.next()) {
      await this.unpack(entry, reader);
    }
    for (const [path, mtime] of this.folderTimes.reverse()) setTime(path, mtime);
  }

  private async unpack(entry: TarEntry, reader: TarReader): Promise<void> {
    const path = this.inside(this.rename(entry.name));
    const existing = lstatSync(raw(path), { throwIfNoEntry: false });
    if (path === this.folder && existing?.isDirectory()) return;
    this.prepareParent(dirname(path));
    if (existing) this.makeRoom(path, existing, entry);
    await this.create(path, entry, reader, existing?.isDirectory() === true);
    if (entry.type === "symlink") return setTime(path, entry.mtime);
    if (entry.type === "hardlink") return;
    chmodSync(raw(path), entry.mode);
    if (entry.type === "directory") this.folderTimes.push([path, entry.mtime]);
    else setTime(path, entry.mtime);
  }

  private inside(name: string): string {
    const path = posix.join(this.folder, name);
    const prefix = this.folder === "/" ? "/" : `${this.folder}/`;
    const trimmed = path.length > 1 ? path.replace(/\/+$/, "") : path;
    if (trimmed !== this.folder && !trimmed.startsWith(prefix)) {
      throw new Error(`${goQuote(name)} is outside of ${goQuote(this.folder)}`);
    }
    return trimmed;
  }

  /** Makes missing parents; refuses one that is a symbolic link. */
  private prepareParent(path: string): void {
    if (path === this.folder || this.real.has(path) || path.length <= this.folder.length) return;
    this.prepareParent(dirname(path));
    const stat = lstatSync(raw(path), { throwIfNoEntry: false });
    if (!stat) mkdirSync(raw(path), 0o755);
    else if (!stat.isDirectory()) throw new Error(`invalid symlink ${goQuote(path)}: not a directory`);
    this.real.add(path);
  }

  private makeRoom(path: string, existing: Stats, entry: TarEntry): void {
    const isFolder = entry.type === "directory";
    const folder = this.folder;
    if (existing.isDirectory() && !isFolder) {
      throw new Error(`cannot overwrite directory ${goQuote(path)} with non-directory ${goQuote(folder)}`);
    }
    if (!existing.isDirectory() && isFolder) {
      throw new Error(`cannot overwrite non-directory ${goQuote(path)} with directory ${goQuote(folder)}`);
    }
    if (!isFolder) rmSync(raw(path), { force: true });
  }

  private async create(path: string, entry: TarEntry, reader: TarReader, exists: boolean): Promise<void> {
    switch (entry.type) {
      case "directory":
        if (!exists) mkdirSync(raw(path), entry.mode);
        return;
      case "file":
        return writeFile(path, entry, reader);
      case "symlink":
        return symlinkSync(raw(entry.linkName), raw(path));
      case "hardlink": {
        const target = this.inside(this.rename(entry.linkName));
        this.prepareParent(dirname(target));
        return linkSync(raw(target), raw(path));
      }
      default:
        return makeNode(path, entry);
    }
  }
}

async function writeFile(path: string, entry: TarEntry, reader: TarReader): Promise<void> {
  // Exclusive: whatever was there has been removed, so nothing is written through a link.
  const fd = openSync(raw(path), "wx", entry.mode);
  try {
    for await (const piece of reader.content(entry)) {
      for (let at = 0; at < piece.length; ) at += writeSync(fd, piece, at);
    }
  } finally {
    closeSync(fd);
  }
}

/** Devices and fifos are rare in what people copy out, and Node has no call for them. */
function makeNode(path: string, entry: TarEntry): void {
  const kind = { character: "c", block: "b", fifo: "p" }[entry.type as "character" | "block" | "fifo"];
  const numbers = entry.type === "fifo" ? [] : [String(entry.deviceMajor), String(entry.deviceMinor)];
  const result = Bun.spawnSync(["mknod", Buffer.from(path, "latin1").toString(), kind, ...numbers]);
  if (!result.success) throw new Error(`mknod ${path}: ${result.stderr.toString().trim()}`);
}

function setTime(path: string, mtime: number): void {
  lutimesSync(raw(path), mtime, mtime);
}

function raw(path: string): Buffer {
  return Buffer.from(path, "latin1");
}
