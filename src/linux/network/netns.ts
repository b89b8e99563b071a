/**
 * Network namespaces with a name: a file under a directory of the daemon's, on which the namespace is bind mounted, as `ip netns`
 * and Docker have it. Everything here acts on the calling thread only and returns with it back where it was.
 */
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { check, libc } from "../libc.ts";
import { mount, mountFlags, unmountIfMounted } from "../mounts/mount.ts";

const cloneNewNet = 0x40000000;
const current = "/proc/thread-self/ns/net";

/** Makes a new namespace, bound to `path` (which must not exist), and runs `work` inside it. Undone when `work` throws. */
export function createNetns<T>(path: string, work: () => T): T {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, "", { flag: "wx", mode: 0o444 });
  const home = openSync(current, "r");
  try {
    check(libc.unshare(cloneNewNet), "unshare", "network namespace");
    try {
      mount({ source: current, target: path, flags: mountFlags.bind });
      return work();
    } finally {
      enter(home);
    }
  } catch (error) {
    removeNetns(path);
    throw error;
  } finally {
    closeSync(home);
  }
}

/** Runs `work`, which must be synchronous, inside the namespace at `path` (a bound file or /proc/PID/ns/net). */
export function withNetns<T>(path: string, work: () => T): T {
  const target = openSync(path, "r");
  const home = openSync(current, "r");
  try {
    enter(target);
    try {
      return work();
    } finally {
      enter(home);
    }
  } finally {
    closeSync(home);
    closeSync(target);
  }
}

/** Takes the name away; the namespace goes when its last process and socket do. Idempotent. May block for milliseconds. */
export function removeNetns(path: string): void {
  while (unmountIfMounted(path, { detach: true }));
  rmSync(path, { force: true });
}

function enter(fd: number): void {
  check(libc.setns(fd, cloneNewNet), "setns", "network namespace");
}
