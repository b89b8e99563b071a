/**
 * Makes an upper directory what its archive would unpack to, so that it can be the layer itself. What a layer must not have:
 * entries that change nothing, sockets, names that mean a deletion, and overlayfs's notes on where a file came from.
 */
import { removeTree } from "../archive/trees/remove-tree.ts";
import * as files from "../linux/files.ts";
import { isBelow, type UpperChange } from "./upper-changes.ts";

/** Where something was mounted in the snapshot's tree. What the OCI runtime had to make there is in the upper directory. */
export interface MountPoint {
  path: string;
  /** It goes, and the directories above it, unless they were there or hold something. Otherwise it becomes an ordinary directory. */
  temporary: boolean;
}

const opaqueName = "trusted.overlay.opaque";

/** False for what a layer's archive cannot hold. */
export function isShown({ path, stat }: UpperChange): boolean {
  return !path.startsWith(".wh.", path.lastIndexOf("/") + 1) && !(stat && isSocket(stat));
}

/** In a process whose root is the upper directory. `useless`: what changes nothing, the content of directories first. */
export function tidyUpper(changes: readonly UpperChange[], useless: readonly string[]): void {
  for (const path of useless) remove(path);
  for (const change of changes) {
    const { path, stat, opaque } = change;
    if (!stat) continue;
    if (!isShown(change)) {
      if (!files.isDirectory(stat)) remove(path);
    } else if (files.isDirectory(stat) || files.isRegular(stat)) {
      for (const name of files.listXattrs(path)) {
        if (/^(trusted|user)\.overlay\./.test(name) && !(opaque && name === opaqueName)) files.removeXattr(path, name);
      }
    }
  }
  // The root is no entry of an archive.
  files.changeOwner("/", 0, 0);
  files.changeMode("/", 0o755);
}

/** crun's mode of a mount point that it makes. */
const madeMode = 0o1755;

/** As `tidyUpper`. `layers`: descriptors of the layers' roots, topmost first. */
export function tidyMountPoints(mountPoints: readonly MountPoint[], layers: readonly number[]): void {
  const paths = new Set<string>();
  for (const { path, temporary } of mountPoints) {
    const raw = files.toRaw(path);
    const stat = files.lstat(raw);
    if (temporary) for (let at = raw; at !== ""; at = at.slice(0, at.lastIndexOf("/"))) paths.add(at);
    else if (stat && files.isDirectory(stat) && (stat.mode & 0o7777) === madeMode) files.changeMode(raw, 0o755);
  }
  for (const path of [...paths].sort((a, b) => b.length - a.length)) {
    const stat = files.lstat(path);
    if (!stat || isBelow(layers, path)) continue;
    const empty = files.isDirectory(stat)
      ? files.listNames(path).length === 0
      : files.isRegular(stat) && stat.size === 0;
    if (empty) remove(path);
  }
}

function isSocket({ mode }: files.FileStat): boolean {
  return (mode & files.fileType.mask) === files.fileType.socket;
}

/** The directory keeps its time. */
function remove(path: string): void {
  const directory = path.slice(0, path.lastIndexOf("/")) || "/";
  const stat = files.lstat(directory);
  removeTree(path);
  if (stat) files.changeTimes(directory, stat.mtime, stat.mtimeNanos);
}
