/** Where ext4 puts the files of new directories. */

import { ptr } from "bun:ffi";
import { closeSync, constants, openSync } from "node:fs";
import { libc } from "./libc.ts";

/** FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_TOPDIR_FL: ioctl_iflags(2), on 64-bit architectures. */
const getFlags = 0x80086601n;
const setFlags = 0x40086602n;
const topDirectory = 0x20000;

/**
 * Says that directories made in this one have nothing to do with each other: ext4 then puts each in another part of the disk. Without
 * it, all are in one, where it looks past every inode that was deleted in the last minute each time it makes one: where
 * many files come and go, a new one takes ten times as long. Other file systems do not know the flag; nothing happens there.
 */
export function spreadDirectories(path: string): void {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const flags = new BigInt64Array(1);
    if (libc.ioctl(descriptor, getFlags, ptr(flags)) !== 0) return;
    const [known = 0n] = flags;
    if ((Number(known) & topDirectory) !== 0) return;
    flags[0] = known | BigInt(topDirectory);
    libc.ioctl(descriptor, setFlags, ptr(flags));
  } finally {
    closeSync(descriptor);
  }
}
