/** Files of a result or a source, for clients that look into what they have built. */
import { readFileSync, type Stats, statSync } from "node:fs";
import { basename } from "node:path";
import { notFound } from "../../base/errors.ts";
import type { Stat } from "../../buildkit-api/protocol/messages.ts";
import { withPathInRoot } from "../../linux/resolve.ts";

/** `range`: bytes; null is the whole file. Links are followed inside the tree; undefined is an empty one. */
export function readInRoot(
  directory: string | undefined,
  path: string,
  range: { Offset: number; Length: number } | null,
): Buffer {
  const data = inRoot(directory, path, (place, stats) => (stats.isFile() ? readFileSync(place) : undefined));
  return range ? data.subarray(range.Offset, range.Length > 0 ? range.Offset + range.Length : undefined) : data;
}

export function statInRoot(directory: string | undefined, path: string): Partial<Stat> {
  return inRoot(directory, path, (_place, { mode, uid, gid, size, mtimeMs }) => ({
    path: Buffer.from(basename(path)),
    mode: goMode(mode),
    ...{ uid, gid, size, modTime: Math.round(mtimeMs * 1e6) },
  }));
}

/** Go's os.FileMode: the permissions, and its own bit for a directory. */
function goMode(mode: number): number {
  return (mode & 0o777) + ((mode & 0o170000) === 0o040000 ? 2 ** 31 : 0);
}

function inRoot<T>(
  directory: string | undefined,
  path: string,
  look: (place: string, stats: Stats) => T | undefined,
): T {
  let found: T | undefined;
  try {
    found =
      directory === undefined ? undefined : withPathInRoot(directory, path, (place) => look(place, statSync(place)));
  } catch (cause) {
    throw notFound(`open ${path}: no such file or directory`, { cause });
  }
  if (found === undefined) throw notFound(`open ${path}: no such file or directory`);
  return found;
}
