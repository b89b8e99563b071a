/**
 * One daemon per data root and per pidfile. The lock on the data root is the kernel's own and ends with the process, however it ends;
 * the pidfile is for people and scripts.
 */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { conflict, errorCode } from "../base/errors.ts";
import { check, libc, SyscallError } from "../linux/libc.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;

/** How long a lock is waited for: of a daemon that was killed as it started a process, that one has it until it runs its program. Milliseconds. */
const patience = 2000;

export interface DaemonLock {
  /** Removes the pidfile and gives the data root free. Idempotent. */
  release(): void;
}

/** Throws `conflict` in dockerd's words when another daemon has either. A pidfile of a process that is gone is replaced. */
export function lockDaemon(options: { dataRoot: string; pidfile: string }): DaemonLock {
  const { dataRoot, pidfile } = options;
  mkdirSync(dataRoot, { recursive: true, mode: 0o710 });
  const descriptor = openSync(join(dataRoot, "daemon.lock"), "w", 0o600);
  try {
    acquire(descriptor, dataRoot);
    writePidfile(pidfile);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  let released = false;
  return {
    release: () => {
      if (released) return;
      released = true;
      rmSync(pidfile, { force: true });
      closeSync(descriptor);
    },
  };
}

function acquire(descriptor: number, dataRoot: string): void {
  for (const deadline = Date.now() + patience; ; Bun.sleepSync(10)) {
    try {
      check(libc.flock(descriptor, LOCK_EX | LOCK_NB), "flock", dataRoot);
      return;
    } catch (cause) {
      if (!(cause instanceof SyscallError) || !["EAGAIN", "EWOULDBLOCK"].includes(cause.code)) throw cause;
      if (Date.now() < deadline) continue;
      throw conflict(`failed to start daemon: another daemon is using the data root ${dataRoot}`, { cause });
    }
  }
}

function writePidfile(path: string): void {
  const pid = readPid(path);
  if (pid !== undefined && pid !== process.pid && isAlive(pid)) {
    throw conflict(
      `failed to start daemon, ensure gantry is not running or delete ${path}: process with PID ${pid} is still running`,
    );
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, String(process.pid), { mode: 0o644 });
}

/** A zombie has ended: after `kill -9` it stays until its parent, or a slow init, reaps it. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\t[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes(errorCode(error) ?? "")) return false;
    throw error;
  }
}

function readPid(path: string): number | undefined {
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, "utf8").trim();
  return /^[1-9]\d*$/.test(text) ? Number(text) : undefined;
}
