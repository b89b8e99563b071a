/**
 * Who gets the processors first where there are too few: the daemon's own thread, which answers the API and name queries in no time, then
 * what somebody waits for, then the rest. Where the kernel shares out processors by session (autogroup), a process's niceness counts
 * only within its session, so that of the session is set as well (sched(7)).
 */
import { FFIType, ptr } from "bun:ffi";
import { writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { check, lazySymbols } from "./libc.ts";

const answering = -5;
const working = 5;
/** What nobody waits for. */
export const idle = 19;

const calls = lazySymbols({
  getsid: { args: [FFIType.i32], returns: FFIType.i32 },
  sched_setscheduler: { args: [FFIType.i32, FFIType.i32, FFIType.pointer], returns: FFIType.i32 },
});
const resetOnFork = 0x40000000;

/** Of a process that was just started, in a session of its own (`detached`). */
export function giveWay({ pid }: { pid: number }, niceness = working): void {
  try {
    setPriority(pid, niceness);
    shareOfSession(pid, niceness);
  } catch {
    // It has ended already, or the kernel has no such groups.
  }
}

/** Puts this thread first. What it starts, containers above all, is not: the kernel resets that at each fork. */
export function goFirst(): void {
  try {
    check(calls.sched_setscheduler(0, resetOnFork, ptr(new Int32Array([0]))), "sched_setscheduler");
    setPriority(answering);
    // A session that it was started in by somebody is not its own to change.
    if (calls.getsid(0) === process.pid) shareOfSession(process.pid, answering);
  } catch {
    // Not allowed to: then first come, first served.
  }
}

function shareOfSession(pid: number, niceness: number): void {
  writeFileSync(`/proc/${pid}/autogroup`, `${niceness}`);
}
