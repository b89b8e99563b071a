/** Deletes a tree by raw path, never following a symbolic link. For child processes: it blocks. */
import { errorCode } from "../base/errors.ts";
import * as files from "../linux/files.ts";

export function removeTree(path: string): void {
  try {
    files.unlink(path);
    return;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return;
    if (errorCode(error) !== "EISDIR" && errorCode(error) !== "EPERM") throw error;
  }
  for (const name of files.listNames(path)) removeTree(`${path}/${name}`);
  files.removeDirectory(path);
}
