/**
 * Work that fills processors goes behind what somebody waits for: the daemon that started it answers requests meanwhile. Its processes
 * have sessions of their own (`detached`): where the kernel shares out processors by session (autogroup), the session's share is
 * lowered, elsewhere that of the process itself (sched(7)).
 */
import { writeFileSync } from "node:fs";
import { setPriority } from "node:os";

/** Behind the daemon, before what nobody waits for. */
const working = 5;
/** What nobody waits for. */
export const idle = 19;

/** Of a process that was just started. */
export function giveWay({ pid }: { pid: number }, niceness = working): void {
  try {
    setPriority(pid, niceness);
    writeFileSync(`/proc/${pid}/autogroup`, `${niceness}`);
  } catch {
    // It has ended already, or the kernel has no such groups.
  }
}
