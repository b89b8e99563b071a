/**
 * File-system calls that keep what Node's lose: names that are no UTF-8, nanoseconds, device numbers, extended attributes.
 * A path here is a *raw* string: each character is one byte (latin1), as the kernel sees it; `toRaw` and `fromRaw` convert.
 * Everything is synchronous and, made for trees of 100,000 files, avoids allocation. All calls throw SyscallError.
 */
import { FFIType, type Pointer, ptr } from "bun:ffi";
import { readdirSync } from "node:fs";
import { errno, lazySymbols, SyscallError } from "./libc.ts";

const { i32, u32, i64, i64_fast, u64, pointer } = FFIType;

const calls = lazySymbols({
  open: { args: [pointer, i32, u32], returns: i32 },
  openat: { args: [i32, pointer, i32, u32], returns: i32 },
  fgetxattr: { args: [i32, pointer, pointer, u64], returns: i64_fast },
  mkdir: { args: [pointer, u32], returns: i32 },
  link: { args: [pointer, pointer], returns: i32 },
  symlink: { args: [pointer, pointer], returns: i32 },
  rename: { args: [pointer, pointer], returns: i32 },
  renameat: { args: [i32, pointer, i32, pointer], returns: i32 },
  renameat2: { args: [i32, pointer, i32, pointer, u32], returns: i32 },
  unlink: { args: [pointer], returns: i32 },
  rmdir: { args: [pointer], returns: i32 },
  lchown: { args: [pointer, u32, u32], returns: i32 },
  fchown: { args: [i32, u32, u32], returns: i32 },
  chmod: { args: [pointer, u32], returns: i32 },
  fchmod: { args: [i32, u32], returns: i32 },
  utimensat: { args: [i32, pointer, pointer, i32], returns: i32 },
  futimens: { args: [i32, pointer], returns: i32 },
  statx: { args: [i32, pointer, i32, u32, pointer], returns: i32 },
  syscall: { args: [i64, i64, i64, i64, i64], returns: i64_fast },
  getdents64: { args: [i32, pointer, u64], returns: i64_fast },
  readlink: { args: [pointer, pointer, u64], returns: i64_fast },
  lseek: { args: [i32, u64, i32], returns: i64_fast },
  lsetxattr: { args: [pointer, pointer, pointer, u64, i32], returns: i32 },
  lgetxattr: { args: [pointer, pointer, pointer, u64], returns: i64_fast },
  llistxattr: { args: [pointer, pointer, u64], returns: i64_fast },
  lremovexattr: { args: [pointer, pointer], returns: i32 },
});

const atFdcwd = -100;
const symlinkNoFollow = 0x100;

/** Types of inodes, the high bits of `mode`. */
export const fileType = {
  mask: 0o170000,
  socket: 0o140000,
  symlink: 0o120000,
  regular: 0o100000,
  block: 0o060000,
  directory: 0o040000,
  character: 0o020000,
  fifo: 0o010000,
} as const;

export const openFlags = {
  readOnly: 0,
  writeOnly: 1,
  readWrite: 2,
  create: 0o100,
  exclusive: 0o200,
  noFollow: 0o400000,
  closeOnExec: 0o2000000,
  directory: 0o200000,
  path: 0o10000000,
} as const;

/** An ordinary string as a raw one. */
export function toRaw(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** A raw string as an ordinary one; bytes that are no UTF-8 become U+FFFD. */
export function fromRaw(raw: string): string {
  return Buffer.from(raw, "latin1").toString("utf8");
}

const maxPath = 4096;

/** A NUL-terminated string in memory that is used again for each call. */
class CallPath {
  private readonly buffer = Buffer.alloc(maxPath);
  private readonly pointer: Pointer = ptr(this.buffer);

  set(raw: string, syscall: string): Pointer {
    if (raw.length >= maxPath) throw new SyscallError(syscall, 36, describe(raw));
    this.buffer[this.buffer.write(raw, 0, "latin1")] = 0;
    return this.pointer;
  }
}

const first = new CallPath();
const second = new CallPath();

function describe(raw: string): string {
  const text = fromRaw(raw);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function check(result: number, syscall: string, raw: string): number {
  if (result >= 0) return result;
  throw new SyscallError(syscall, errno(), describe(raw));
}

// Compiled before the first call fails, as errno is (libc.ts).
check(0, "", "");

/** Returns a descriptor, close-on-exec. */
export function open(path: string, flags: number, mode = 0): number {
  return check(calls.open(first.set(path, "open"), flags | openFlags.closeOnExec, mode), "open", path);
}

/** As `open`, relative to an open directory. */
export function openAt(directory: number, path: string, flags: number): number {
  return check(calls.openat(directory, first.set(path, "openat"), flags | openFlags.closeOnExec, 0), "openat", path);
}

export function makeDirectory(path: string, mode: number): void {
  check(calls.mkdir(first.set(path, "mkdir"), mode), "mkdir", path);
}

/** A hard link `path` to `target`, which is not followed if it is symbolic. */
export function makeLink(target: string, path: string): void {
  check(calls.link(second.set(target, "link"), first.set(path, "link")), "link", path);
}

export function makeSymlink(target: string, path: string): void {
  check(calls.symlink(second.set(target, "symlink"), first.set(path, "symlink")), "symlink", path);
}

/** `mode` with its file type. The C library's mknod is not exported by every version: the system call is. */
export function makeNode(path: string, mode: number, major = 0, minor = 0): void {
  const number = process.arch === "arm64" ? 33n : 259n;
  const device = makeDevice(major, minor);
  const name = BigInt(first.set(path, "mknod"));
  const result = calls.syscall(number, BigInt(atFdcwd), name, BigInt(mode), device);
  check(Number(result), "mknod", path);
}

export function rename(from: string, to: string): void {
  check(calls.rename(first.set(from, "rename"), second.set(to, "rename")), "rename", from);
}

/** Swaps two entries of one file system: at no time is either missing. */
export function exchange(one: string, other: string): void {
  const swap = 2;
  const result = calls.renameat2(atFdcwd, first.set(one, "rename"), atFdcwd, second.set(other, "rename"), swap);
  check(result, "renameat2", one);
}

/** Renames `from` to the entry `name` of an open directory. */
export function renameInto(from: string, directory: number, name: string): void {
  check(calls.renameat(atFdcwd, first.set(from, "rename"), directory, second.set(name, "rename")), "rename", from);
}

export function unlink(path: string): void {
  check(calls.unlink(first.set(path, "unlink")), "unlink", path);
}

export function removeDirectory(path: string): void {
  check(calls.rmdir(first.set(path, "rmdir")), "rmdir", path);
}

/** Owner and group, of a symbolic link itself. */
export function changeOwner(path: string, uid: number, gid: number): void {
  check(calls.lchown(first.set(path, "lchown"), uid, gid), "lchown", path);
}

export function changeOwnerOf(descriptor: number, uid: number, gid: number): void {
  check(calls.fchown(descriptor, uid, gid), "fchown", "");
}

/** Permission bits; follows a symbolic link. */
export function changeMode(path: string, mode: number): void {
  check(calls.chmod(first.set(path, "chmod"), mode), "chmod", path);
}

export function changeModeOf(descriptor: number, mode: number): void {
  check(calls.fchmod(descriptor, mode), "fchmod", "");
}

const times = new BigInt64Array(4);
const timesPointer = ptr(times);

/** Access and modification time, of a symbolic link itself. Seconds may be negative; `nanos` is the fraction. */
export function changeTimes(path: string, seconds: number, nanos: number): void {
  times[0] = times[2] = BigInt(seconds);
  times[1] = times[3] = BigInt(nanos);
  check(calls.utimensat(atFdcwd, first.set(path, "utimensat"), timesPointer, symlinkNoFollow), "utimensat", path);
}

export function changeTimesOf(descriptor: number, seconds: number, nanos: number): void {
  times[0] = times[2] = BigInt(seconds);
  times[1] = times[3] = BigInt(nanos);
  check(calls.futimens(descriptor, timesPointer), "futimens", "");
}

export interface FileStat {
  /** File type and permission bits. */
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  size: number;
  /** In units of 512 bytes. */
  blocks: number;
  inode: bigint;
  /** Seconds since 1970, and nanoseconds of the fraction. */
  mtime: number;
  mtimeNanos: number;
  /** As mtime: when the inode was last changed, which nobody can set. */
  ctime: number;
  ctimeNanos: number;
  deviceMajor: number;
  deviceMinor: number;
  /** Of a device node. */
  rdevMajor: number;
  rdevMinor: number;
  mountId: bigint;
}

export function isDirectory({ mode }: Pick<FileStat, "mode">): boolean {
  return (mode & fileType.mask) === fileType.directory;
}

export function isRegular({ mode }: Pick<FileStat, "mode">): boolean {
  return (mode & fileType.mask) === fileType.regular;
}

export function isSymlink({ mode }: Pick<FileStat, "mode">): boolean {
  return (mode & fileType.mask) === fileType.symlink;
}

const statxBuffer = new DataView(new ArrayBuffer(256));
const statxPointer = ptr(new Uint8Array(statxBuffer.buffer));
/** STATX_BASIC_STATS and STATX_MNT_ID. */
const statxMask = 0x7ff | 0x1000;

/** What is at `path`, a symbolic link not followed; undefined when nothing is (ENOENT). */
export function lstat(path: string): FileStat | undefined {
  const result = calls.statx(atFdcwd, first.set(path, "lstat"), symlinkNoFollow, statxMask, statxPointer);
  return statResult(result, "lstat", path);
}

/** As lstat, relative to an open directory. */
export function lstatAt(directory: number, path: string): FileStat | undefined {
  const result = calls.statx(directory, first.set(path, "lstat"), symlinkNoFollow, statxMask, statxPointer);
  return statResult(result, "lstat", path);
}

/** As lstat, following symbolic links. */
export function stat(path: string): FileStat | undefined {
  return statResult(calls.statx(atFdcwd, first.set(path, "stat"), 0, statxMask, statxPointer), "stat", path);
}

export function statOf(descriptor: number): FileStat {
  const result = calls.statx(descriptor, first.set("", "fstat"), 0x1000, statxMask, statxPointer);
  check(result, "fstat", "");
  return readStatx();
}

function statResult(result: number, syscall: string, path: string): FileStat | undefined {
  if (result === 0) return readStatx();
  const code = errno();
  if (code === 2) return undefined;
  throw new SyscallError(syscall, code, describe(path));
}

function readStatx(): FileStat {
  const at = statxBuffer;
  return {
    mode: at.getUint16(28, true),
    nlink: at.getUint32(16, true),
    uid: at.getUint32(20, true),
    gid: at.getUint32(24, true),
    size: Number(at.getBigUint64(40, true)),
    blocks: Number(at.getBigUint64(48, true)),
    inode: at.getBigUint64(32, true),
    mtime: Number(at.getBigInt64(112, true)),
    mtimeNanos: at.getUint32(120, true),
    ctime: Number(at.getBigInt64(96, true)),
    ctimeNanos: at.getUint32(104, true),
    rdevMajor: at.getUint32(128, true),
    rdevMinor: at.getUint32(132, true),
    deviceMajor: at.getUint32(136, true),
    deviceMinor: at.getUint32(140, true),
    mountId: at.getBigUint64(144, true),
  };
}

const linkBuffer = Buffer.alloc(maxPath);
const linkPointer = ptr(linkBuffer);

export function readLink(path: string): string {
  const length = calls.readlink(first.set(path, "readlink"), linkPointer, maxPath);
  return linkBuffer.toString("latin1", 0, check(Number(length), "readlink", path));
}

/** Names in a directory, in the kernel's order. */
export function listNames(path: string): string[] {
  return readdirSync(Buffer.from(path, "latin1"), { encoding: "latin1" });
}

const entryBuffer = Buffer.alloc(1 << 16);
const entryPointer = ptr(entryBuffer);

/** As listNames, of an open directory that was not listed before. */
export function listNamesOf(descriptor: number): string[] {
  const names: string[] = [];
  for (;;) {
    const size = check(Number(calls.getdents64(descriptor, entryPointer, entryBuffer.length)), "getdents64", "");
    if (size === 0) return names;
    for (let at = 0; at < size; at += entryBuffer.readUInt16LE(at + 16)) {
      const name = entryBuffer.toString("latin1", at + 19, entryBuffer.indexOf(0, at + 19));
      if (name !== "." && name !== "..") names.push(name);
    }
  }
}

/** The next data (or hole) at or after `offset`, in bytes; undefined at the end of the file. */
export function seekData(descriptor: number, offset: number, kind: "data" | "hole"): number | undefined {
  const result = Number(calls.lseek(descriptor, offset, kind === "data" ? 3 : 4));
  if (result >= 0) return result;
  if (errno() === 6) return undefined;
  throw new SyscallError("lseek", errno());
}

/** The kernel's own limit of a value and of a list of names. */
const xattrBuffer = Buffer.alloc(65536);
const xattrPointer = ptr(xattrBuffer);
const xattrName = new CallPath();

export function listXattrs(path: string): string[] {
  const length = Number(calls.llistxattr(first.set(path, "llistxattr"), xattrPointer, xattrBuffer.length));
  if (length <= 0) return [];
  return xattrBuffer.toString("latin1", 0, length - 1).split("\0");
}

/** The value, or undefined when the file has no such attribute. */
export function getXattr(path: string, name: string): Buffer | undefined {
  const length = Number(
    calls.lgetxattr(first.set(path, "lgetxattr"), xattrName.set(name, "lgetxattr"), xattrPointer, xattrBuffer.length),
  );
  return length < 0 ? undefined : Buffer.from(xattrBuffer.subarray(0, length));
}

export function getXattrOf(descriptor: number, name: string): Buffer | undefined {
  const length = Number(
    calls.fgetxattr(descriptor, xattrName.set(name, "fgetxattr"), xattrPointer, xattrBuffer.length),
  );
  return length < 0 ? undefined : Buffer.from(xattrBuffer.subarray(0, length));
}

export function setXattr(path: string, name: string, value: Uint8Array): void {
  const content = value.length === 0 ? Buffer.alloc(1) : value;
  const result = calls.lsetxattr(
    first.set(path, "lsetxattr"),
    xattrName.set(name, "lsetxattr"),
    ptr(content),
    value.length,
    0,
  );
  check(result, "lsetxattr", path);
}

export function removeXattr(path: string, name: string): void {
  check(calls.lremovexattr(first.set(path, "lremovexattr"), xattrName.set(name, "lremovexattr")), "lremovexattr", path);
}

/** A device number as the kernel takes it. */
function makeDevice(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn);
}
