/**
 * What a snapshot's upper directory changes in the layers below it. Source: the kernel's Documentation/filesystems/overlayfs.rst
 * (whiteouts, opaque directories); what counts as a change is Docker's pkg/archive/changes_linux.go.
 *
 * Runs in a process whose root is the upper directory: the container may be running and swap names meanwhile. The layers, which do
 * not change, are read through open descriptors.
 */
import { closeSync } from "node:fs";
import * as files from "../linux/files.ts";

export interface UpperChange {
  /** Raw path from the root, with a leading slash. */
  path: string;
  kind: "modified" | "added" | "deleted";
  /** Of the upper directory's entry; undefined when deleted. */
  stat?: files.FileStat;
  /** A directory that hides what the layers have in its place. */
  opaque?: boolean;
}

export interface WalkOptions {
  /**
   * `diff`: what is really different, the content of a replaced directory as single deletions. `layer`: whatever a layer must hold,
   * so that no content is judged by its size and time, and a replaced directory is opaque. `tree`: what is really different, of an upper
   * directory that holds all there is.
   */
  purpose: "diff" | "layer" | "tree";
  /** Told of what is in the upper directory and changes nothing; of a directory, after all that is in it. */
  onUseless?: (path: string) => void;
}

/** A directory of the layers below: those that take part in it (open descriptors), topmost first. */
interface LowerDirectory {
  path: string;
  layers: readonly number[];
}

interface LowerEntry {
  stat: files.FileStat;
  /** Layer in which `stat` was found, and the path there. */
  layer: number;
  path: string;
  /** If it is a directory. */
  directory: LowerDirectory | undefined;
}

function isWhiteout(stat: files.FileStat): boolean {
  const { mask, character } = files.fileType;
  return (stat.mode & mask) === character && stat.rdevMajor === 0 && stat.rdevMinor === 0;
}

/** All changes in depth-first order, names in byte order. `layers`: descriptors of the layers' roots, topmost first. */
export function upperChanges(layers: readonly number[], options: WalkOptions): UpperChange[] {
  const changes: UpperChange[] = [];
  new Walk(options, changes).root({ path: ".", layers });
  return changes;
}

class Walk {
  private readonly purpose: WalkOptions["purpose"];
  private readonly onUseless: (path: string) => void;
  private readonly changes: UpperChange[];

  constructor({ purpose, onUseless = () => {} }: WalkOptions, changes: UpperChange[]) {
    this.purpose = purpose;
    this.onUseless = onUseless;
    this.changes = changes;
  }

  root(lower: LowerDirectory): void {
    this.directory("", lower);
    if (this.purpose === "tree") this.hidden("", lower);
  }

  directory(path: string, lower: LowerDirectory | undefined): void {
    for (const name of files.listNames(path || "/").sort()) {
      const childPath = `${path}/${name}`;
      const stat = files.lstat(childPath);
      if (!stat) continue;
      const below = lower && lookUp(lower, name);
      if (isWhiteout(stat)) {
        if (below) this.changes.push({ path: childPath, kind: "deleted", stat });
        else this.onUseless(childPath);
      } else if (files.isDirectory(stat)) {
        this.childDirectory(childPath, stat, below);
      } else if (!below) {
        this.changes.push({ path: childPath, kind: "added", stat });
      } else if (this.purpose === "layer" || differs(below, childPath, stat)) {
        this.changes.push({ path: childPath, kind: "modified", stat });
      }
    }
  }

  private childDirectory(path: string, stat: files.FileStat, below: LowerEntry | undefined): void {
    const whole = this.purpose === "tree";
    const opaque = below?.directory !== undefined && !whole && isOpaque(path);
    const change: UpperChange = { path, kind: below ? "modified" : "added", stat, opaque };
    const position = this.changes.push(change);
    this.directory(path, opaque && this.purpose === "layer" ? undefined : below?.directory);
    if (below?.directory && (whole || (opaque && this.purpose === "diff"))) this.hidden(path, below.directory);
    const unchanged =
      this.changes.length === position &&
      below?.directory !== undefined &&
      !differs(below, path, stat) &&
      !(opaque && this.purpose === "layer");
    if (!unchanged) return;
    this.changes.pop();
    this.onUseless(path);
  }

  /** What a directory hides of those below, and does not have itself. */
  private hidden(path: string, lower: LowerDirectory): void {
    const names = new Set<string>();
    for (const layer of lower.layers) {
      const descriptor = files.openAt(layer, lower.path, files.openFlags.directory);
      try {
        for (const name of files.listNamesOf(descriptor)) names.add(name);
      } finally {
        closeSync(descriptor);
      }
    }
    for (const name of [...names].sort()) {
      if (!files.lstat(`${path}/${name}`) && lookUp(lower, name)) {
        this.changes.push({ path: `${path}/${name}`, kind: "deleted" });
      }
    }
  }
}

/** Whether the layers have something at `path`, in which no link is followed. */
export function isBelow(layers: readonly number[], path: string): boolean {
  let directory: LowerDirectory | undefined = { path: ".", layers };
  let found: LowerEntry | undefined;
  for (const name of path.split("/").filter(Boolean)) {
    found = directory && lookUp(directory, name);
    directory = found?.directory;
  }
  return found !== undefined;
}

/** What the layers together show under `name`. */
function lookUp(lower: LowerDirectory, name: string): LowerEntry | undefined {
  const path = `${lower.path}/${name}`;
  const taking: number[] = [];
  let found: { stat: files.FileStat; layer: number; path: string } | undefined;
  for (const layer of lower.layers) {
    const stat = files.lstatAt(layer, path);
    if (!stat) continue;
    if (isWhiteout(stat)) break;
    if (!files.isDirectory(stat)) {
      found ??= { stat, layer, path };
      break;
    }
    found ??= { stat, layer, path };
    taking.push(layer);
    if (isOpaqueIn(layer, path)) break;
  }
  return found && { ...found, directory: files.isDirectory(found.stat) ? { path, layers: taking } : undefined };
}

function isOpaque(path: string): boolean {
  return files.getXattr(path, "trusted.overlay.opaque")?.toString() === "y";
}

function isOpaqueIn(layer: number, path: string): boolean {
  const { directory, noFollow } = files.openFlags;
  const descriptor = files.openAt(layer, path, directory | noFollow);
  try {
    return files.getXattrOf(descriptor, "trusted.overlay.opaque")?.toString() === "y";
  } finally {
    closeSync(descriptor);
  }
}

/** Docker's statDifferent, and file capabilities. */
function differs(below: LowerEntry, path: string, now: files.FileStat): boolean {
  const before = below.stat;
  if (before.mode !== now.mode || before.uid !== now.uid || before.gid !== now.gid) return true;
  if (before.rdevMajor !== now.rdevMajor || before.rdevMinor !== now.rdevMinor) return true;
  if (files.isDirectory(now)) return false;
  if (before.size !== now.size || !sameTime(before, now)) return true;
  return files.isRegular(now) && !sameCapability(below, path);
}

function sameCapability({ layer, path: lowerPath }: LowerEntry, path: string): boolean {
  const now = files.getXattr(path, "security.capability") ?? Buffer.alloc(0);
  const descriptor = files.openAt(layer, lowerPath, files.openFlags.readOnly | files.openFlags.noFollow);
  try {
    return now.equals(files.getXattrOf(descriptor, "security.capability") ?? Buffer.alloc(0));
  } finally {
    closeSync(descriptor);
  }
}

/** Times that an archive has cut to seconds are equal to those that it did not. */
function sameTime(a: files.FileStat, b: files.FileStat): boolean {
  if (a.mtime !== b.mtime) return false;
  return a.mtimeNanos === b.mtimeNanos || a.mtimeNanos === 0 || b.mtimeNanos === 0;
}
