/** Makes a directory the root of this process, so that no path in an archive leads out of it. For child processes. */
import { address, check, cString, libc } from "../linux/libc.ts";

/** chroot(2) and chdir("/"). What the process still needs of the outside must be open already. */
export function enterRoot(path: string): void {
  const name = cString(path);
  check(libc.chroot(address(name)), "chroot", path);
  process.chdir("/");
}
