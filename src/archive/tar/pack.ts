/** Packs files of a tree into an archive or a layer, in a process that is confined to that tree. */
import { closeSync } from "node:fs";
import { errorCode } from "../../base/errors.ts";
import * as files from "../../linux/files.ts";
import type { EntrySink, EntryType, TarEntry } from "./tar-entry.ts";

const entryTypes: Record<number, EntryType> = {
  [files.fileType.regular]: "file",
  [files.fileType.directory]: "directory",
  [files.fileType.symlink]: "symlink",
  [files.fileType.character]: "character",
  [files.fileType.block]: "block",
  [files.fileType.fifo]: "fifo",
};

export interface DirectoryAttributes {
  mode: number;
  uid: number;
  gid: number;
  /** Seconds since 1970. */
  mtime: number;
}

/** Times that archives get, in seconds since 1970. */
export interface PackedTimes {
  /** Later ones become this. */
  notAfter?: number | undefined;
  /** All become this. */
  always?: number | undefined;
}

export class Packer {
  private readonly sink: EntrySink;
  private readonly times: PackedTimes;
  /** Names in the archive of files with several links, by inode. */
  private readonly links = new Map<string, string>();

  constructor(sink: EntrySink, times: PackedTimes = {}) {
    this.sink = sink;
    this.times = times;
  }

  /** Adds what is at `path` under `name` (without a trailing slash), owner and mode as `stat` says. Sockets, and what has vanished meanwhile, are left out. */
  add(path: string, name: string, given: files.FileStat): void {
    const stat = { ...given, mtime: this.time(given.mtime) };
    const type = entryTypes[stat.mode & files.fileType.mask];
    if (!type) return;
    try {
      if (type === "file") this.addFile(path, name, stat);
      else this.sink.add(toEntry(path, type === "directory" ? `${name}/` : name, type, stat, this.linkTo(name, stat)));
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw error;
    }
  }

  /** An empty file: a whiteout. */
  addEmpty(name: string, mtime: number): void {
    this.sink.add({ ...emptyEntry, name, mtime: this.time(mtime) });
  }

  /** A directory that need not be there. */
  addDirectory(name: string, { mode, uid, gid, mtime }: DirectoryAttributes): void {
    this.sink.add({ ...emptyEntry, mode, uid, gid, mtime: this.time(mtime), name: `${name}/`, type: "directory" });
  }

  private time(mtime: number): number {
    const { always, notAfter = Number.POSITIVE_INFINITY } = this.times;
    return always ?? Math.min(mtime, notAfter);
  }

  private addFile(path: string, name: string, stat: files.FileStat): void {
    const linkName = this.linkTo(name, stat);
    if (linkName !== "") {
      this.sink.add(toEntry(path, name, "hardlink", stat, linkName));
      return;
    }
    const { readOnly, noFollow } = files.openFlags;
    // O_NONBLOCK: something else may have taken the file's place, and opening a fifo would wait for ever.
    const descriptor = files.open(path, readOnly | noFollow | 0o4000);
    try {
      const now = files.statOf(descriptor);
      if (!files.isRegular(now)) return;
      const shown = { ...now, uid: stat.uid, gid: stat.gid, mode: stat.mode, mtime: this.time(now.mtime) };
      this.sink.addFile(toEntry(path, name, "file", shown, ""), descriptor, now.blocks);
    } finally {
      closeSync(descriptor);
    }
  }

  /** The name under which the same inode was packed before, or "". */
  private linkTo(name: string, stat: files.FileStat): string {
    if (stat.nlink < 2 || files.isDirectory(stat)) return "";
    const inode = `${stat.deviceMajor}:${stat.deviceMinor}:${stat.inode}`;
    const known = this.links.get(inode);
    if (known === undefined) this.links.set(inode, name);
    return known ?? "";
  }
}

const noXattrs: ReadonlyMap<string, Uint8Array> = new Map();

const emptyEntry: TarEntry = {
  name: "",
  type: "file",
  linkName: "",
  mode: 0,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0,
  mtimeNanos: 0,
  deviceMajor: 0,
  deviceMinor: 0,
  xattrs: noXattrs,
};

function toEntry(path: string, name: string, type: EntryType, stat: files.FileStat, linkName: string): TarEntry {
  const linked = linkName !== "";
  const device = type === "character" || type === "block";
  return {
    name,
    type: linked ? "hardlink" : type,
    linkName: linked || type !== "symlink" ? linkName : files.readLink(path),
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    size: type === "file" ? stat.size : 0,
    mtime: stat.mtime,
    mtimeNanos: 0,
    deviceMajor: device ? stat.rdevMajor : 0,
    deviceMinor: device ? stat.rdevMinor : 0,
    // Also of a hard link: Docker sets a link's owner when it unpacks, which takes the file's capabilities away.
    xattrs: xattrsOf(path),
  };
}

/** Attributes that travel: not overlayfs's, and not labels that belong to this host. */
function xattrsOf(path: string): ReadonlyMap<string, Uint8Array> {
  const names = files
    .listXattrs(path)
    .filter((name) => !/^(trusted|user)\.overlay\.|^security\.(selinux|ima|evm|apparmor)$/.test(name));
  if (names.length === 0) return noXattrs;
  const xattrs = new Map<string, Uint8Array>();
  for (const name of names.sort()) {
    const value = files.getXattr(path, name);
    if (value) xattrs.set(name, value);
  }
  return xattrs;
}
