/** Files of a result or a source, for clients that look into what they have built. */
import { readFileSync, type Stats, statSync } from "node:fs";
import { basename } from "node:path";
import { notFound } from "../../base/errors.ts";
import { goMode } from "../../buildkit-api/files/file-stat.ts";
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
  return inRoot(directory, path, (_place, stats) => ({
    path: Buffer.from(basename(path)),
    mode: goMode(stats),
    uid: stats.uid,
    gid: stats.gid,
    size: stats.size,
    modTime: Math.round(stats.mtimeMs * 1e6),
  }));
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
