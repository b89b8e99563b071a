/**
 * A container in memory: its record, and while it lives its shim, its waiters and the clients that wait for it to start.
 *
 * INVARIANTS
 * - `record.state` changes only inside `lifecycle.run(…)`, so that start, exit, update and removal never interleave.
 * - `shim` is set exactly while a task may be running. The exit handler clears it.
 * - Waiters are told after the state they wait for is in the database.
 */
import type { Health, WaitResponse } from "../../api/containers.ts";
import { Mutex } from "../../base/mutex.ts";
import type { Shim } from "../../runtime/shim.ts";
import type { PendingAttach } from "./attach/attach.ts";
import type { ContainerRecord } from "./container-record.ts";

type Waiter = (response: WaitResponse) => void;

export class Container {
  readonly record: ContainerRecord;
  readonly lifecycle = new Mutex();
  shim: Shim | undefined;
  /** Clients that attached before the start. */
  readonly pendingAttaches = new Set<PendingAttach>();
  /** Live execs, by id. */
  readonly execIds = new Set<string>();
  health: Health | undefined;
  /** Set while a restart policy waits. */
  restartTimer: ReturnType<typeof setTimeout> | undefined;
  /** Milliseconds of the last such wait. */
  restartDelay = 0;
  isRemoved = false;
  /** When its last end was told of, by `performance.now()`. */
  diedAt: number | undefined;
  /** Its next end is for a restart: one that asked to be removed then (`--rm`) stays. */
  endsForRestart = false;
  private readonly exitWaiters = new Set<Waiter>();
  private readonly removalWaiters = new Set<Waiter>();

  constructor(record: ContainerRecord) {
    this.record = record;
  }

  get id(): string {
    return this.record.id;
  }

  /** True while a process runs, paused or not. A container that waits for its restart is not. */
  get isRunning(): boolean {
    return this.shim !== undefined && this.record.state.pid !== 0;
  }

  get isPaused(): boolean {
    return this.record.state.status === "paused";
  }

  get isRestarting(): boolean {
    return this.record.state.status === "restarting";
  }

  /** Resolves at the next exit, or at the removal. Never resolves once the signal has aborted. */
  nextExit(signal?: AbortSignal): Promise<WaitResponse> {
    return waitIn(this.exitWaiters, signal);
  }

  /** Resolves when the container has been removed. Never resolves once the signal has aborted. */
  removal(signal?: AbortSignal): Promise<WaitResponse> {
    return waitIn(this.removalWaiters, signal);
  }

  notifyExit(response: WaitResponse): void {
    release(this.exitWaiters, response);
  }

  /** Also ends those who wait for an exit that will not come. */
  notifyRemoval(response: WaitResponse): void {
    this.isRemoved = true;
    release(this.exitWaiters, response);
    release(this.removalWaiters, response);
  }
}

function waitIn(waiters: Set<Waiter>, signal: AbortSignal | undefined): Promise<WaitResponse> {
  return new Promise((resolve) => {
    waiters.add(resolve);
    signal?.addEventListener("abort", () => waiters.delete(resolve), { once: true });
  });
}

function release(waiters: Set<Waiter>, response: WaitResponse): void {
  for (const waiter of waiters) waiter(response);
  waiters.clear();
}
