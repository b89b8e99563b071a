/** Filling an empty volume with what the image has at its place: content, owners, modes, times, links and extended attributes. */
import { chmodSync, lchownSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { errorCode, internal } from "../../../base/errors.ts";
import { resolveInRoot } from "../../../linux/resolve.ts";
import { copyTree } from "../copy-tree.ts";

export interface CopyUp {
  /** Root of the image, mounted. */
  rootfs: string;
  /** Path in it. */
  path: string;
  /** The volume's `_data`. */
  target: string;
  /** Whether other containers may have the volume mounted: then it is filled in place, as they must see it. */
  shared: boolean;
}

/**
 * Does nothing when the volume has content or the image has no such directory. Otherwise all or nothing, also when the machine
 * stops meanwhile (unless the volume is shared). Links in the image are resolved inside it.
 */
export async function copyUp({ rootfs, path, target, shared }: CopyUp): Promise<void> {
  if (readdirSync(target).length > 0) return;
  const source = findVolumeDirectory(rootfs, path);
  if (source === undefined) return;
  if (readdirSync(source).length === 0) {
    const { uid, gid, mode } = statSync(source);
    lchownSync(target, uid, gid);
    chmodSync(target, mode & 0o7777);
    return;
  }
  const failure = "error while filling the volume";
  if (shared) return copyTree(source, target, { failure });
  const staging = join(dirname(target), "_copy");
  rmSync(staging, { recursive: true, force: true });
  mkdirSync(staging, { mode: 0o700 });
  await copyTree(source, staging, { failure });
  // Over an empty directory, rename is atomic.
  renameSync(staging, target);
}

/** Where an image has the directory that a volume covers; undefined: it has none. Throws when it has something else there. */
export function findVolumeDirectory(rootfs: string, path: string): string | undefined {
  let found: string;
  try {
    found = resolveInRoot(rootfs, path);
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ELOOP"].includes(errorCode(error) ?? "")) return undefined;
    throw error;
  }
  if (statSync(found).isDirectory()) return found;
  throw internal(`cannot mount volume over existing file, file exists ${found}`);
}
