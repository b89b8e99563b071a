/** What a layer's directory holds, for those who fill it. */
import { closeSync, mkdirSync, openSync, rmdirSync } from "node:fs";
import * as files from "../../linux/files.ts";
import { TarSplitWriter } from "../tar/tar-split.ts";
import type { UnpackTarget } from "../tar/unpack.ts";

export interface UnpackLayerResult {
  /** Digest of the archive. */
  diffId: string;
  /** As Layer.size. */
  size: number;
}

export interface LayerFiles extends Disposable {
  split: TarSplitWriter;
  target: UnpackTarget;
}

/** Makes the content of an empty layer directory; the target unpacks into its `diff` once that is the root. */
export function startLayer(directory: string): LayerFiles {
  mkdirSync(`${directory}/diff`, { mode: 0o755 });
  mkdirSync(`${directory}/displaced`, { mode: 0o700 });
  const displaced = openSync(`${directory}/displaced`, files.openFlags.directory);
  const split = startSplit(directory);
  let count = 0;
  const displace = (path: string) => {
    const name = String(count++);
    files.renameInto(path, displaced, name);
    split.relocate(`diff${path}`, `displaced/${name}`);
  };
  return {
    split,
    target: { base: "/", whiteouts: true, noOverwriteDirNonDir: false, displace },
    [Symbol.dispose]() {
      split[Symbol.dispose]();
      closeSync(displaced);
    },
  };
}

export function startSplit(directory: string): TarSplitWriter {
  return new TarSplitWriter(openSync(`${directory}/tar-split`, "wx", 0o600));
}

/** Removes what `startLayer` made in case and nobody needed. */
export function dropEmptyDisplaced(directory: string): void {
  try {
    rmdirSync(`${directory}/displaced`);
  } catch {
    // It holds files that the archive needs, or is not there.
  }
}

/** Bytes of files and targets of symbolic links below a directory, each inode once: Docker's directory.Size. */
export function contentSize(path: string, seen = new Set<string>()): number {
  const stat = files.lstat(path);
  if (!stat) return 0;
  if (!files.isDirectory(stat)) {
    if (stat.nlink > 1) {
      const key = `${stat.deviceMajor}:${stat.deviceMinor}:${stat.inode}`;
      if (seen.has(key)) return 0;
      seen.add(key);
    }
    return stat.size;
  }
  let total = 0;
  const prefix = path === "/" ? "/" : `${path}/`;
  for (const name of files.listNames(path)) total += contentSize(prefix + name, seen);
  return total;
}
