/** One process per registry root. The lock is the kernel's and ends with the process, however it ends. */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { check, libc, SyscallError } from "../linux/libc.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;

/** Undefined when another process holds the root. */
export function lockRoot(root: string): Disposable | undefined {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const descriptor = openSync(join(root, "lock"), "w", 0o600);
  try {
    check(libc.flock(descriptor, LOCK_EX | LOCK_NB), "flock", root);
  } catch (error) {
    closeSync(descriptor);
    if (error instanceof SyscallError && ["EAGAIN", "EWOULDBLOCK"].includes(error.code)) return undefined;
    throw error;
  }
  return { [Symbol.dispose]: () => closeSync(descriptor) };
}
