/** Deletes a tree by raw path, never following a symbolic link. For child processes: it blocks. */
import * as files from "../../linux/files.ts";

export function removeTree(path: string): void {
  try {
    files.unlink(path);
    return;
  } catch (error) {
    const stat = files.lstat(path);
    if (!stat) return;
    if (!files.isDirectory(stat)) throw error;
  }
  for (const name of files.listNames(path)) removeTree(`${path}/${name}`);
  files.removeDirectory(path);
}
