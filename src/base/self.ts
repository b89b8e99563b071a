/**
 * Running this same program again as a child: `gantry <hidden verb> …`. CPU-heavy or confined work (tar, hashing, unpacking in a
 * chroot) runs in such children, so that the daemon's event loop never waits. Works compiled, from source, and under `bun test`.
 */
import { fileURLToPath } from "node:url";

/** argv that starts this program with the given arguments. */
export function selfArgv(...args: string[]): string[] {
  return isCompiled() ? [process.execPath, ...args] : [process.execPath, mainPath, ...args];
}

/** True in the executable made by `bun build --compile`. */
export function isCompiled(): boolean {
  return import.meta.url.includes("/$bunfs/");
}

const mainPath = fileURLToPath(new URL("../main.ts", import.meta.url));
