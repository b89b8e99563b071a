/**
 * Paths inside a root that is not ours (an image, a volume): the kernel resolves them as if the root were `/`, so that neither `..`
 * nor a symbolic link, absolute or swapped in meanwhile, leads outside. openat2(2), Linux 5.6.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, readlinkSync } from "node:fs";
import { errorCode } from "../base/errors.ts";
import { address, check, cString, libc } from "./libc.ts";

const openat2Number = 437;
const noMagicLinks = 0x02n;
const [inRoot, beneath] = [0x10n | noMagicLinks, 0x08n | noMagicLinks];
/** Missing in Node's constants. */
export const openFlags = { path: 0o10000000, cloexec: 0o2000000 } as const;

/** Opens `path` below `root`. The caller closes the descriptor. Throws SyscallError (`ENOENT`, `ENOTDIR`, `ELOOP`, …). */
export function openInRoot(root: string, path: string, flags: number = constants.O_RDONLY, mode = 0): number {
  return openAt(root, path, inRoot, flags, mode);
}

/** As `openInRoot`, but what would lead outside, absolute links among it, is refused with `EXDEV`. */
export function openBeneath(root: string, path: string, flags: number = constants.O_RDONLY): number {
  return openAt(root, path, beneath, flags, 0);
}

function openAt(root: string, path: string, resolve: bigint, flags: number, mode: number): number {
  const rootFd = openSync(root, openFlags.path | constants.O_DIRECTORY);
  try {
    const how = new BigUint64Array([BigInt(flags | openFlags.cloexec), BigInt(mode), resolve]);
    const [name, bytes] = [cString(path), new Uint8Array(how.buffer)];
    const arguments_ = [rootFd, address(name) ?? 0, address(bytes) ?? 0, bytes.length, 0, 0].map(BigInt);
    const [a, b, c, d, e, f] = arguments_ as [bigint, bigint, bigint, bigint, bigint, bigint];
    return check(libc.syscall(BigInt(openat2Number), a, b, c, d, e, f), "openat2", path);
  } finally {
    closeSync(rootFd);
  }
}

/** Calls `use` with a path (`/proc/self/fd/N`) that stays bound to what `path` below `root` was, however the tree changes meanwhile. */
export function withPathInRoot<T>(root: string, path: string, use: (pinned: string) => T): T {
  const fd = openInRoot(root, path, openFlags.path);
  try {
    return use(`/proc/self/fd/${fd}`);
  } finally {
    closeSync(fd);
  }
}

/** The host path of what `path` below `root` is, links resolved. Throws SyscallError when there is nothing. */
export function resolveInRoot(root: string, path: string): string {
  return withPathInRoot(root, path, (pinned) => readlinkSync(pinned));
}

/** Text of a regular file below `root`; undefined when it is not there or no regular file. Throws for more than `limit` bytes. */
export function readTextInRoot(root: string, path: string, limit = 16 << 20): string | undefined {
  let fd: number;
  try {
    // Without O_NONBLOCK, a fifo in place of the file would hang the daemon.
    fd = openInRoot(root, path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ELOOP", "EISDIR", "ENXIO"].includes(errorCode(error) ?? "")) return undefined;
    throw error;
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) return undefined;
    if (stats.size > limit) throw new RangeError(`${path} is larger than ${limit} bytes`);
    return readFileSync(fd, "utf8");
  } finally {
    closeSync(fd);
  }
}
