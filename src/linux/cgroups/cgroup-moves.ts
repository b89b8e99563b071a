/**
 * Moving a process to another cgroup takes some eight milliseconds where none was moved a moment ago: all of the kernel waits until
 * forks and exits heed a lock (cgroup_threadgroup_rwsem, an RCU grace period), and for some twenty milliseconds more they do. An OCI
 * runtime moves what it starts. Who expects one early has the kernel wait while other things are done. (Hosts mounted with
 * `favordynmods` heed the lock always.)
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CgroupLayout } from "./cgroups.ts";

let waiting = false;

/** A process will be moved soon. Returns at once, and cannot fail: without it, the move itself takes longer. */
export function expectMove(layout: CgroupLayout): void {
  if (waiting) return;
  waiting = true;
  moveNowhere(layout)
    .catch(() => undefined)
    .finally(() => {
      waiting = false;
    });
}

/** Moves this process to where it is. Any hierarchy will do: the lock is one. */
async function moveNowhere(layout: CgroupLayout): Promise<void> {
  const file = ownProcesses(layout, await readFile("/proc/self/cgroup", "utf8"));
  if (file !== undefined) await writeFile(file, `${process.pid}`);
}

/** The file of processes of the cgroup that a `/proc/PID/cgroup` tells of; undefined where its hierarchy is not mounted. */
export function ownProcesses(layout: CgroupLayout, table: string): string | undefined {
  for (const line of table.trimEnd().split("\n")) {
    const [, controllers = "", ...path] = line.split(":");
    const root = controllers === "" ? layout.cgroupUnified : layout.cgroupControllers[controllers.split(",")[0] ?? ""];
    // A path that leaves the namespace's own cgroups is none of the mounted ones.
    if (root !== undefined && !path.join(":").startsWith("/..")) return join(root, path.join(":"), "cgroup.procs");
  }
  return undefined;
}
