/** Paths inside a container's tree as `docker cp` understands them, in a process whose root is that tree. */
import type { ContainerPathStat } from "../../api/containers.ts";
import { toRfc3339Nano } from "../../base/clock.ts";
import { notFound } from "../../base/errors.ts";
import * as files from "../../linux/files.ts";
import { SyscallError } from "../../linux/libc.ts";
import { cleanPath } from "../tar/unpack.ts";

/** From the root, cleaned, but a trailing `/` or `/.` of what was given stays: it asks for the directory behind a link. */
export function absolutePath(path: string): string {
  return keepEnding(cleanPath(`/${path}`), path);
}

function keepEnding(clean: string, original: string): string {
  let path = clean;
  if (baseName(original) === ".") path = path.endsWith("/") ? `${path}.` : `${path}/.`;
  if (original.endsWith("/") && !path.endsWith("/")) path += "/";
  return path;
}

/** Go's filepath.Base. */
export function baseName(path: string): string {
  const trimmed = path.replace(/\/+$/, "");
  return trimmed === "" ? "/" : trimmed.slice(trimmed.lastIndexOf("/") + 1);
}

export function fileNotFound(path: string, container: string): Error {
  return notFound(`Could not find the file ${path} in container ${container}`);
}

/** Docker's lstat of a path. Throws `not-found` in Docker's words. */
export function statIn(path: string, given: string, container: string): files.FileStat {
  const stat = files.lstat(path);
  if (stat) return stat;
  throw fileNotFound(given, container);
}

export function toPathStat(path: string, stat: files.FileStat): ContainerPathStat {
  const symbolic = files.isSymlink(stat);
  const nanos = BigInt(stat.mtime) * 1_000_000_000n + BigInt(stat.mtimeNanos);
  return {
    name: files.fromRaw(baseName(path)),
    size: stat.size,
    mode: goFileMode(stat.mode),
    mtime: toRfc3339Nano(nanos).replace(/\.?0+Z$/, "Z"),
    linkTarget: symbolic ? files.fromRaw(followLinks(path).path) : "",
  };
}

/** Go's os.FileMode. */
export function goFileMode(mode: number): number {
  const { mask, directory, symlink, block, character, fifo, socket } = files.fileType;
  const types: Record<number, number> = {
    [directory]: 1 << 31,
    [symlink]: 1 << 27,
    [block]: 1 << 26,
    [character]: (1 << 26) | (1 << 21),
    [fifo]: 1 << 25,
    [socket]: 1 << 24,
  };
  const special = (mode & 0o4000 ? 1 << 23 : 0) | (mode & 0o2000 ? 1 << 22 : 0) | (mode & 0o1000 ? 1 << 20 : 0);
  return ((types[mode & mask] ?? 0) | special | (mode & 0o777)) >>> 0;
}

/** The path with every symbolic link followed, as far as there is something; `complete`: to its end. */
export function followLinks(path: string): { path: string; complete: boolean } {
  let rest = path.split("/");
  let at = "/";
  let links = 0;
  while (rest.length > 0) {
    const part = rest.shift() as string;
    if (part === "" || part === ".") continue;
    if (part === "..") {
      at = at.slice(0, at.lastIndexOf("/")) || "/";
      continue;
    }
    const next = at === "/" ? `/${part}` : `${at}/${part}`;
    const stat = files.lstat(next);
    if (!stat) return { path: cleanPath([next, ...rest].join("/")), complete: false };
    if (files.isSymlink(stat)) {
      if (++links > 255) throw new SyscallError("lstat", 40, files.fromRaw(path));
      const target = files.readLink(next);
      rest = [...target.split("/"), ...rest];
      if (target.startsWith("/")) at = "/";
    } else {
      at = next;
    }
  }
  return { path: at, complete: true };
}
