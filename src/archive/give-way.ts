/**
 * Work that fills processors goes behind what somebody waits for: the daemon that started it answers requests meanwhile. Its processes
 * have sessions of their own (`detached`), so that where the kernel shares out processors by session, what they take is not counted
 * against the daemon, and lower priority, which matters where it does not.
 */
import { setPriority } from "node:os";

const niceness = 10;

/** Of a process that was just started. */
export function giveWay({ pid }: { pid: number }): void {
  try {
    setPriority(pid, niceness);
  } catch {
    // It has ended already.
  }
}
