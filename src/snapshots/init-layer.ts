/**
 * The lowest layer of every snapshot: the mount points that the engine and the OCI runtime need in a root. Docker makes them in a
 * layer of each container, on top of the image; below the image one directory serves all, and what an image has itself wins.
 */
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const directories = ["dev/pts", "dev/shm", "proc", "sys"];
const emptyFiles = [".dockerenv", "etc/resolv.conf", "etc/hosts", "etc/hostname", "dev/console"];

/** Idempotent. */
export function makeInitLayer(path: string): void {
  for (const name of directories) mkdirSync(join(path, name), { recursive: true, mode: 0o755 });
  for (const name of emptyFiles) {
    const file = join(path, name);
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
    if (!existsSync(file)) writeFileSync(file, "", { mode: 0o755 });
  }
  try {
    symlinkSync("/proc/mounts", join(path, "etc/mtab"));
  } catch {
    // It is there already.
  }
}
