/** Whether something is mounted on a directory: it is then on another device than its parent. (Not for bind mounts.) */
import { statSync } from "node:fs";
import { dirname } from "node:path";

export function isMountPoint(path: string): boolean {
  const own = statSync(path, { throwIfNoEntry: false });
  return own !== undefined && own.dev !== statSync(dirname(path)).dev;
}
