/**
 * Unpacks a tar archive into a directory tree, as root, in a process whose root directory is that tree (or holds it): symbolic
 * links are followed by the kernel and by `resolve` inside that root only.
 *
 * For a layer, whiteouts become overlayfs's own (`.wh.x` a character device 0:0, `.wh..wh..opq` an attribute of its directory).
 */
import { closeSync, ftruncateSync } from "node:fs";
import { EngineError, errorCode, invalidArgument } from "../../base/errors.ts";
import * as files from "../../linux/files.ts";
import { SyscallError } from "../../linux/libc.ts";
import { writeAll } from "../byte-sink.ts";
import { removeTree } from "../trees/remove-tree.ts";
import type { DataRange, TarEntry } from "./tar-entry.ts";
import type { TarReader } from "./tar-reader.ts";

export interface UnpackTarget {
  /** Absolute raw path of an existing directory. */
  base: string;
  /** Turn whiteouts into overlayfs's. Otherwise they are files like others. */
  whiteouts: boolean;
  noOverwriteDirNonDir: boolean;
  /** What the archive says of its own root (`./`) goes for `base`. Otherwise that keeps what it has. */
  ownBase?: boolean;
  /** Owner of everything; undefined: as the archive says. */
  chown?: { uid: number; gid: number } | undefined;
  /** Told of each stretch of content that `run` wrote to a file. */
  onContent?: (path: string, offset: number, length: number) => void;
  /** Takes something away that a later entry replaces; undefined: it is deleted. */
  displace?: (path: string) => void;
}

/** Gives the content of the file that is being made at `path` to `write`, stretch by stretch. */
export type ContentSource = (path: string, write: (chunk: Buffer, offset: number) => void) => void;

export class Unpacker {
  private readonly target: UnpackTarget;
  /** Directory paths, as written → where they really are. */
  private directories = new Map<string, string>();
  /** Directories get their times last, after their entries. */
  private readonly directoryTimes = new Map<string, TarEntry>();
  /** Content of files and targets of symbolic links, in bytes; not valid after anything was displaced. */
  size = 0;
  displaced = false;

  constructor(target: UnpackTarget) {
    this.target = target;
  }

  /** Unpacks a whole archive. `before` sees each entry before anything is made of it. */
  run(reader: TarReader, before: (entry: TarEntry) => void = () => {}): void {
    for (let entry = reader.next(); entry; entry = reader.next()) {
      before(entry);
      const { size, ranges = [{ offset: 0, length: size }] } = entry;
      this.entry(entry, (path, write) => {
        readRanges(reader, ranges, write);
        for (const { offset, length } of ranges) this.target.onContent?.(path, offset, length);
      });
    }
    this.end();
  }

  /** After the last entry. */
  end(): void {
    for (const [path, { mtime, mtimeNanos }] of this.directoryTimes) files.changeTimes(path, mtime, mtimeNanos);
  }

  entry(entry: TarEntry, content: ContentSource = () => {}): void {
    const { base, whiteouts } = this.target;
    const path = cleanPath(`${base}/${entry.name}`);
    if (!isInside(path, base)) {
      throw invalidArgument(
        `${JSON.stringify(files.fromRaw(entry.name))} is outside of ${JSON.stringify(files.fromRaw(base))}`,
      );
    }
    if (path === base) {
      if (entry.type === "directory") {
        if (this.target.ownBase) this.createDirectory(path, entry);
        return;
      }
      throw invalidArgument(`cannot overwrite directory ${JSON.stringify(files.fromRaw(path))} with non-directory`);
    }
    const slash = path.lastIndexOf("/");
    const directory = this.resolve(path.slice(0, slash) || "/");
    const name = path.slice(slash + 1);
    if (whiteouts && name.startsWith(".wh.")) this.whiteout(directory, name, entry);
    else this.create(join(directory, name), entry, content);
  }

  private whiteout(directory: string, name: string, entry: TarEntry): void {
    if (name === ".wh..wh..opq") {
      files.setXattr(directory, "trusted.overlay.opaque", Buffer.from("y"));
      return;
    }
    // Other names in `.wh..wh.` are metadata of AUFS; `.wh.` alone, `.wh..` and `.wh...` name nothing.
    const hidden = name.slice(4);
    if (name.startsWith(".wh..wh.") || hidden === "" || hidden === "." || hidden === "..") return;
    const place = join(directory, hidden);
    this.makeWay(place, entry, () => files.makeNode(place, files.fileType.character));
    files.changeOwner(place, entry.uid, entry.gid);
  }

  private create(path: string, entry: TarEntry, content: ContentSource): void {
    if (entry.type === "file") {
      this.createFile(path, entry, content);
    } else if (entry.type === "directory") {
      this.createDirectory(path, entry);
    } else if (entry.type === "hardlink") {
      this.createLink(path, entry);
    } else if (entry.type === "symlink") {
      this.makeWay(path, entry, () => files.makeSymlink(entry.linkName, path));
      this.size += entry.linkName.length;
      this.finish(path, entry, false);
    } else {
      const mode = files.fileType[entry.type] | 0o600;
      this.makeWay(path, entry, () => files.makeNode(path, mode, entry.deviceMajor, entry.deviceMinor));
      this.finish(path, entry, true);
    }
  }

  private createFile(path: string, entry: TarEntry, content: ContentSource): void {
    const { writeOnly, create, exclusive, noFollow } = files.openFlags;
    const descriptor = this.makeWay(path, entry, () =>
      files.open(path, writeOnly | create | exclusive | noFollow, 0o600),
    );
    try {
      let end = 0;
      content(path, (chunk, offset) => {
        writeAll(descriptor, chunk, offset);
        end = offset + chunk.length;
      });
      // A hole at the end.
      if (end < entry.size) ftruncateSync(descriptor, entry.size);
      const { uid, gid } = this.target.chown ?? entry;
      files.changeOwnerOf(descriptor, uid, gid);
      files.changeModeOf(descriptor, entry.mode);
      if (entry.xattrs.size > 0) setXattrs(path, entry.xattrs);
      files.changeTimesOf(descriptor, entry.mtime, entry.mtimeNanos);
    } finally {
      closeSync(descriptor);
    }
    this.size += entry.size;
  }

  private createDirectory(path: string, entry: TarEntry): void {
    this.makeWay(path, entry, () => makeOrKeepDirectory(path));
    this.directories.set(path, path);
    const { uid, gid } = this.target.chown ?? entry;
    files.changeOwner(path, uid, gid);
    files.changeMode(path, entry.mode);
    setXattrs(path, entry.xattrs);
    this.directoryTimes.set(path, entry);
  }

  private createLink(path: string, entry: TarEntry): void {
    const { base } = this.target;
    const wanted = cleanPath(`${base}/${entry.linkName}`);
    if (!isInside(wanted, base)) {
      throw invalidArgument(
        `invalid hardlink ${JSON.stringify(files.fromRaw(wanted))} -> ${JSON.stringify(files.fromRaw(entry.linkName))}`,
      );
    }
    const slash = wanted.lastIndexOf("/");
    const source = join(this.resolve(wanted.slice(0, slash) || "/"), wanted.slice(slash + 1));
    if (source === path) return;
    this.makeWay(path, entry, () => files.makeLink(source, path));
    const stat = files.lstat(path);
    if (!stat) return;
    // Only what the file does not have yet: changing the owner would take its capabilities away.
    const { uid, gid } = this.target.chown ?? entry;
    if (stat.uid !== uid || stat.gid !== gid) files.changeOwner(path, uid, gid);
    const symbolic = files.isSymlink(stat);
    if (!symbolic && ((stat.mode & 0o7777) !== entry.mode || stat.uid !== uid)) files.changeMode(path, entry.mode);
    setXattrs(path, entry.xattrs);
    files.changeTimes(path, entry.mtime, entry.mtimeNanos);
  }

  /** Owner, then mode (changing the owner clears setuid), then attributes (it clears capabilities too), then times. */
  private finish(path: string, entry: TarEntry, hasMode: boolean): void {
    const { uid, gid } = this.target.chown ?? entry;
    files.changeOwner(path, uid, gid);
    if (hasMode) files.changeMode(path, entry.mode);
    setXattrs(path, entry.xattrs);
    files.changeTimes(path, entry.mtime, entry.mtimeNanos);
  }

  /** Runs `make`, and again after clearing what stands in its way. */
  private makeWay<T>(path: string, entry: TarEntry, make: () => T): T {
    try {
      return make();
    } catch (error) {
      // Rather than by EEXIST: errno is not to be relied upon (linux/libc.ts).
      if (!files.lstat(path)) throw error;
    }
    if (this.target.noOverwriteDirNonDir && isDirectory(path) !== (entry.type === "directory")) {
      const [name, base] = [path, this.target.base].map((raw) => JSON.stringify(files.fromRaw(raw)));
      throw invalidArgument(
        isDirectory(path)
          ? `cannot overwrite directory ${name} with non-directory ${base}`
          : `cannot overwrite non-directory ${name} with directory ${base}`,
      );
    }
    this.clear(path);
    return make();
  }

  private clear(path: string): void {
    this.displaced = true;
    this.directories = new Map();
    for (const known of this.directoryTimes.keys()) if (isInside(known, path)) this.directoryTimes.delete(known);
    if (this.target.displace) this.target.displace(path);
    else removeTree(path);
  }

  /** Where a directory really is, its symbolic links followed; what is missing is made, as Docker does: root's, mode 0755. */
  private resolve(path: string): string {
    const known = this.directories.get(path);
    if (known !== undefined) return known;
    const real = this.walk(path, 0);
    this.directories.set(path, real);
    return real;
  }

  private walk(path: string, links: number): string {
    if (links > 40) throw new SyscallError("mkdir", 40, files.fromRaw(path));
    let at = "/";
    const parts = path.split("/").filter((part) => part !== "" && part !== ".");
    for (const [index, part] of parts.entries()) {
      if (part === "..") {
        at = at.slice(0, at.lastIndexOf("/")) || "/";
        continue;
      }
      const next = join(at, part);
      const kind = (files.lstat(next)?.mode ?? 0) & files.fileType.mask;
      if (kind === files.fileType.symlink) {
        const target = files.readLink(next);
        const rest = parts.slice(index + 1).join("/");
        return this.walk(target.startsWith("/") ? `${target}/${rest}` : `${at}/${target}/${rest}`, links + 1);
      }
      if (kind === 0) this.makeImplied(next);
      else if (kind !== files.fileType.directory) throw new SyscallError("mkdir", 20, files.fromRaw(next));
      at = next;
    }
    return at;
  }

  private makeImplied(path: string): void {
    files.makeDirectory(path, 0o755);
    const { chown } = this.target;
    if (chown) files.changeOwner(path, chown.uid, chown.gid);
  }
}

/** What the archive holds of a file: its ranges, one after the other. */
function readRanges(
  reader: TarReader,
  ranges: readonly DataRange[],
  write: (chunk: Buffer, offset: number) => void,
): void {
  let index = 0;
  let done = 0;
  reader.content((chunk) => {
    for (let at = 0; at < chunk.length; ) {
      const range = ranges[index] as DataRange;
      const part = chunk.subarray(at, at + range.length - done);
      write(part, range.offset + done);
      at += part.length;
      done += part.length;
      if (done === range.length) {
        index++;
        done = 0;
      }
    }
  });
}

function isDirectory(path: string): boolean {
  return ((files.lstat(path)?.mode ?? 0) & files.fileType.mask) === files.fileType.directory;
}

/** An existing directory is merged with. */
function makeOrKeepDirectory(path: string): void {
  try {
    files.makeDirectory(path, 0o700);
  } catch (error) {
    if (!isDirectory(path)) throw error;
  }
}

/** Attributes that a file system cannot hold are left out, as Docker does; overlayfs's own would change what a layer means. */
function setXattrs(path: string, xattrs: ReadonlyMap<string, Uint8Array>): void {
  for (const [name, value] of xattrs) {
    if (/^(trusted|user)\.overlay\./.test(name)) continue;
    try {
      files.setXattr(path, name, value);
    } catch (error) {
      const code = errorCode(error);
      if (error instanceof EngineError || (code !== "EOPNOTSUPP" && code !== "ENOTSUP" && code !== "EPERM"))
        throw error;
    }
  }
}

function join(directory: string, name: string): string {
  return directory === "/" ? `/${name}` : `${directory}/${name}`;
}

/** An absolute path without `.`, `..`, doubled and trailing slashes; `..` does not lead above the root. */
export function cleanPath(path: string): string {
  if (!/\/\.{0,2}(\/|$)/.test(path)) return path;
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

function isInside(path: string, base: string): boolean {
  return path === base || base === "/" || path.startsWith(`${base}/`);
}
