/** Mounting and unmounting, by system call. Flags are the kernel's (mount(2)). */
import { FFIType } from "bun:ffi";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { openFlags } from "../files.ts";
import { address, check, cString, lazySymbols, libc } from "../libc.ts";

export const mountFlags = {
  rdonly: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  remount: 32,
  noatime: 1024,
  bind: 4096,
  rec: 16384,
  unbindable: 1 << 17,
  private: 1 << 18,
  slave: 1 << 19,
  shared: 1 << 20,
} as const;

export interface MountRequest {
  source?: string;
  target: string;
  type?: string;
  flags?: number;
  data?: string;
}

/** mount(2). Throws SyscallError naming the target. */
export function mount({ source, target, type, flags = 0, data }: MountRequest): void {
  const [from, to] = [source === undefined ? undefined : cString(source), cString(target)];
  const [kind, options] = [
    type === undefined ? undefined : cString(type),
    data === undefined ? undefined : cString(data),
  ];
  const result = libc.mount(address(from), address(to), address(kind), BigInt(flags), address(options));
  check(result, "mount", target);
}

export interface UnmountOptions {
  /** MNT_DETACH: gone from the tree at once, released when the last user ends. */
  detach?: boolean;
}

/** umount2(2), never following a symbolic link. Throws SyscallError (`EINVAL` when nothing is mounted there). */
export function unmount(target: string, { detach = false }: UnmountOptions = {}): void {
  const path = cString(target);
  check(libc.umount2(address(path), 8 | (detach ? 2 : 0)), "umount", target);
}

/** Unmounts what may or may not be mounted. Returns whether something was. */
export function unmountIfMounted(target: string, options: UnmountOptions = {}): boolean {
  try {
    unmount(target, options);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "EINVAL" || error.code === "ENOENT")) return false;
    throw error;
  }
}

/**
 * Takes a mount out of the tree, whoever uses it. Returns a descriptor that still holds it: whoever closes that last waits for the
 * kernel to let go, so it is better closed on another thread.
 */
export function takeOut(target: string): number {
  const descriptor = openSync(target, openFlags.path | openFlags.closeOnExec);
  try {
    unmountIfMounted(target, { detach: true });
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

const statvfs = lazySymbols({ statvfs: { args: [FFIType.pointer, FFIType.pointer], returns: FFIType.i32 } });
const flagsOffset = 72;

/** Of what restricts the mount that a path is on: `ro`, `nosuid`, `nodev`, `noexec`. Empty for a path that is not there. */
export function restrictionsOf(path: string): string[] {
  const [name, result] = [cString(path), Buffer.alloc(256)];
  if (statvfs.statvfs(address(name), address(result)) !== 0) return [];
  const flags = result.readUInt32LE(flagsOffset);
  return ["ro", "nosuid", "nodev", "noexec"].filter((_, bit) => flags & (1 << bit));
}

export interface MountInfo {
  id: number;
  parent: number;
  root: string;
  mountPoint: string;
  options: string[];
  /** `shared:1`, `master:2`, … */
  propagation: string[];
  type: string;
  source: string;
  superOptions: string[];
}

/** The mounts of this process's namespace (proc(5), mountinfo). */
export function readMountInfo(path = "/proc/self/mountinfo"): MountInfo[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8").split("\n").filter(Boolean).map(parseMountInfoLine);
}

/** Takes out of the tree whatever is mounted below a directory. */
export function unmountBelow(directory: string): void {
  const points = readMountInfo().map(({ mountPoint }) => mountPoint);
  for (const point of points.reverse())
    if (point.startsWith(`${directory}/`)) unmountIfMounted(point, { detach: true });
}

export function parseMountInfoLine(line: string): MountInfo {
  const fields = line.split(" ");
  const dash = fields.indexOf("-", 6);
  const field = (index: number) => unescapeOctal(fields[index] ?? "");
  return {
    id: Number(fields[0]),
    parent: Number(fields[1]),
    root: field(3),
    mountPoint: field(4),
    options: field(5).split(","),
    propagation: fields.slice(6, dash),
    type: field(dash + 1),
    source: field(dash + 2),
    superOptions: field(dash + 3).split(","),
  };
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
