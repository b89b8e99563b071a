/** What a child process does to itself before its work. */
import { openSync } from "node:fs";
import { openFlags } from "../../linux/files.ts";
import { address, check, cString, libc } from "../../linux/libc.ts";

/** The kernel ends this process when the one that started it has died: a killed daemon leaves no worker behind. */
export function dieWithParent(): void {
  const prctl = process.arch === "arm64" ? 167n : 157n;
  const [setDeathSignal, sigkill] = [1n, 9n];
  libc.syscall(prctl, setDeathSignal, sigkill, 0n, 0n, 0n, 0n);
}

/**
 * Makes a directory the root, so that no path in an archive leads out of it: chroot(2) and chdir("/"). What the process still needs of
 * the outside must be open already.
 */
export function enterRoot(path: string): void {
  const name = cString(path);
  check(libc.chroot(address(name)), "chroot", path);
  process.chdir("/");
}

/** A directory to be the root later on, perhaps by turns with others. The descriptor stays open. */
export function openRoot(path: string): number {
  return openSync(path, openFlags.path | openFlags.directory);
}

const dot = cString(".");

/** As `enterRoot`, with what `openRoot` returned. */
export function enterOpenRoot(descriptor: number): void {
  check(libc.fchdir(descriptor), "fchdir");
  check(libc.chroot(address(dot)), "chroot");
}
