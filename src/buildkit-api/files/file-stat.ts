/** fsutil's description of a file, and Go's bits in it. Source: tonistiigi/fsutil stat.go; Go's io/fs FileMode. */
import type { Stats } from "node:fs";
import type { Stat } from "../protocol/messages.ts";

const goBits = {
  directory: 1 << 31,
  link: 1 << 27,
  device: 1 << 26,
  pipe: 1 << 25,
  socket: 1 << 24,
  setuid: 1 << 23,
  setgid: 1 << 22,
  character: 1 << 21,
  sticky: 1 << 20,
} as const;

export type FileKind = "file" | "directory" | "link" | "pipe" | "socket" | "character" | "block";

export function kindOf({ mode }: Pick<Stat, "mode">): FileKind {
  if (mode & goBits.directory) return "directory";
  if (mode & goBits.link) return "link";
  if (mode & goBits.device) return mode & goBits.character ? "character" : "block";
  if (mode & goBits.pipe) return "pipe";
  if (mode & goBits.socket) return "socket";
  return "file";
}

/** Permissions as the kernel has them, with setuid, setgid and sticky. */
export function permissionsOf({ mode }: Pick<Stat, "mode">): number {
  return (
    (mode & 0o777) |
    (mode & goBits.setuid ? 0o4000 : 0) |
    (mode & goBits.setgid ? 0o2000 : 0) |
    (mode & goBits.sticky ? 0o1000 : 0)
  );
}

/** Go's mode of a file. */
export function goMode(stats: Stats): number {
  const permissions =
    (stats.mode & 0o777) |
    (stats.mode & 0o4000 ? goBits.setuid : 0) |
    (stats.mode & 0o2000 ? goBits.setgid : 0) |
    (stats.mode & 0o1000 ? goBits.sticky : 0);
  const kind = stats.isDirectory()
    ? goBits.directory
    : stats.isSymbolicLink()
      ? goBits.link
      : stats.isFIFO()
        ? goBits.pipe
        : stats.isSocket()
          ? goBits.socket
          : stats.isCharacterDevice()
            ? goBits.device | goBits.character
            : stats.isBlockDevice()
              ? goBits.device
              : 0;
  return (permissions | kind) >>> 0;
}
