/**
 * Starting and ending containers: the one place where a container's state changes because its process comes or goes.
 *
 *   created ──start──→ running ──exit──→ exited ──restart policy──→ restarting ──→ running …
 *                        │  ▲                └─ AutoRemove ──→ removed
 *                     pause unpause
 *
 * Intent, act, commit: `launch` leaves a task directory before anything else, so that start-up (`restore`) finds whatever a
 * crash left half started, and `teardown` is idempotent, so that it can be run again on anything.
 */
import { fromRfc3339, nowNanos, nowRfc3339Nano, toRfc3339Nano } from "../../../base/clock.ts";
import { conflict, EngineError, errorMessage, unavailable } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import type { ExitRecord, Shim } from "../../../runtime/shim.ts";
import type { Container } from "../container.ts";
import type { ContainerEvents } from "../container-events.ts";
import type { ContainerStore } from "../container-store.ts";
import type { Launcher } from "./launch.ts";
import { restartDelay } from "./restart-policy.ts";
import { StartError } from "./start-error.ts";

export interface LifecycleDependencies {
  store: ContainerStore;
  launcher: Launcher;
  events: ContainerEvents;
  log: Logger;
  /** Watches health while a container runs. */
  health: { begin(container: Container): void; end(container: Container): void };
  /** Commands that were to run in a container that has ended. */
  forgetExecs(container: Container): void;
  /** Deletes a container that ended and asked for that (`--rm`). Runs inside the container's lifecycle lock. */
  removeEnded(container: Container): Promise<void>;
}

export class Lifecycle {
  private readonly deps: LifecycleDependencies;
  private closing = false;
  private held = false;

  constructor(deps: LifecycleDependencies) {
    this.deps = deps;
  }

  /** Rejects `not-modified` when it runs already, or with what kept the process from starting. */
  start(container: Container): Promise<void> {
    return container.lifecycle.run(async () => {
      const { record } = container;
      if (record.removing) throw conflict(`container is marked for removal and cannot be started`);
      if (container.isPaused) throw conflict("cannot start a paused container, try unpause instead");
      if (container.isRunning) throw new EngineError("not-modified", `container ${record.id} is already running`);
      if (this.held) throw unavailable("the daemon is ending, and its containers with it");
      this.cancelRestart(container);
      record.manuallyStopped = false;
      record.restartCount = 0;
      container.restartDelay = 0;
      await this.startLocked(container);
    });
  }

  /** Takes up a task that outlived the previous daemon. Returns once its state is in the database. */
  adopt(container: Container, shim: Shim, pid: number): Promise<void> {
    return container.lifecycle.run(async () => {
      const { state } = container.record;
      container.shim = shim;
      state.pid = pid;
      if (state.status !== "paused") state.status = "running";
      this.deps.store.save(container);
      this.watch(container, shim);
      this.deps.health.begin(container);
    });
  }

  /** Records the end of a task that nobody saw end, and releases what it held. */
  recordLoss(container: Container, exit: ExitRecord): Promise<void> {
    return container.lifecycle.run(() => this.finish(container, exit));
  }

  /** Starts a container whose policy says so when the daemon starts. */
  startWithDaemon(container: Container): Promise<void> {
    return container.lifecycle.run(() => this.startLocked(container));
  }

  /** A container that waits for its restart stays stopped. Returns whether it was waiting. Call inside the lifecycle lock. */
  cancelRestart(container: Container): boolean {
    clearTimeout(container.restartTimer);
    const waited = container.restartTimer !== undefined;
    container.restartTimer = undefined;
    if (container.isRestarting) {
      container.record.state.status = "exited";
      this.deps.store.save(container);
    }
    return waited;
  }

  /** While held, what ends stays ended, what waits for its restart goes on waiting, and nobody starts anything: restart policies are asked again when the daemon starts. */
  holdRestarts(held: boolean): void {
    this.held = held;
  }

  /** The daemon ends: what runs now runs on, and no restart is begun. */
  close(): void {
    this.closing = true;
    for (const container of this.deps.store.list()) {
      clearTimeout(container.restartTimer);
      this.deps.health.end(container);
      container.shim?.close();
    }
  }

  private async startLocked(container: Container): Promise<void> {
    const { store, launcher, events, health } = this.deps;
    const { state } = container.record;
    // Before the process can say anything: who reads the log since the start gets its first line.
    const startedAt = nowRfc3339Nano();
    try {
      const { shim, pid, networkSettings } = await launcher.launch(container);
      container.shim = shim;
      container.record.networkSettings = networkSettings;
      Object.assign(state, {
        status: "running",
        pid,
        exitCode: 0,
        error: "",
        oomKilled: false,
        startedAt,
      });
      store.save(container);
      this.watch(container, shim);
      events.publish(container, "start");
      health.begin(container);
      this.renewLinks(container);
    } catch (error) {
      await this.startFailed(container, error);
      throw error;
    }
  }

  private renewLinks(container: Container): void {
    const { store, launcher, log } = this.deps;
    for (const { parent, alias } of store.parentsOf(container)) {
      try {
        if (parent.isRunning) launcher.renewLink(parent, alias, container);
      } catch (error) {
        log.warn("a link keeps an old address", { container: parent.id, error });
      }
    }
  }

  private async startFailed(container: Container, error: unknown): Promise<void> {
    const { store, events } = this.deps;
    const { record } = container;
    record.state.exitCode = error instanceof StartError ? error.exitCode : 128;
    record.state.error = errorMessage(error);
    record.state.status = record.state.status === "restarting" ? "exited" : record.state.status;
    record.state.pid = 0;
    store.save(container);
    for (const pending of [...container.pendingAttaches]) pending.abandon();
    events.publish(container, "die", { exitCode: String(record.state.exitCode) });
    if (record.hostConfig.AutoRemove) await this.deps.removeEnded(container);
  }

  private watch(container: Container, shim: Shim): void {
    shim.exited
      .catch((error: unknown): ExitRecord => {
        if (!this.closing)
          this.deps.log.error("the shim ended without an exit record", { container: container.id, error });
        return { exitCode: 137, signal: 9, oomKilled: false, finishedAt: nowNanos() };
      })
      .then((exit) =>
        container.lifecycle.run(async () => {
          if (container.shim === shim && !this.closing) await this.finish(container, exit);
        }),
      )
      .catch((error: unknown) =>
        this.deps.log.error("could not finish a container", { container: container.id, error }),
      );
  }

  /** The process has ended: state first, then those who wait, then what it held, then what comes next. */
  private async finish(container: Container, exit: ExitRecord): Promise<void> {
    const { store, launcher, events, health } = this.deps;
    const { record } = container;
    const ranFor = Number((exit.finishedAt - (fromRfc3339(record.state.startedAt) ?? exit.finishedAt)) / 1_000_000n);
    health.end(container);
    container.shim?.close();
    container.shim = undefined;
    this.deps.forgetExecs(container);
    const finishedAt = toRfc3339Nano(exit.finishedAt);
    Object.assign(record.state, {
      status: "exited",
      pid: 0,
      exitCode: exit.exitCode,
      oomKilled: exit.oomKilled,
      finishedAt,
    });
    const delay = this.planRestart(container, exit.exitCode, ranFor);
    if (delay !== undefined) record.state.status = "restarting";
    const released = launcher.releaseNetwork(container);
    store.save(container);
    await released;
    if (exit.oomKilled) events.publish(container, "oom");
    events.publish(container, "die", {
      exitCode: String(exit.exitCode),
      execDuration: String(Math.max(0, Math.floor(ranFor / 1000))),
    });
    const removes = record.hostConfig.AutoRemove === true && delay === undefined && !container.endsForRestart;
    if (!removes) container.notifyExit({ StatusCode: exit.exitCode });
    await launcher.teardown(container, { removing: removes });
    if (removes) {
      await this.deps.removeEnded(container);
      return;
    }
    if (delay !== undefined) this.scheduleRestart(container, delay);
  }

  private planRestart(container: Container, exitCode: number, ranFor: number): number | undefined {
    const { record } = container;
    if (record.removing || this.held) return undefined;
    return restartDelay(record.hostConfig.RestartPolicy, {
      exitCode,
      ranFor,
      restartCount: record.restartCount,
      manuallyStopped: record.manuallyStopped,
      lastDelay: container.restartDelay,
    });
  }

  private scheduleRestart(container: Container, delay: number): void {
    container.restartDelay = delay;
    container.restartTimer = setTimeout(() => {
      container.restartTimer = undefined;
      const restart = container.lifecycle.run(async () => {
        if (!container.isRestarting || this.held || this.closing) return;
        container.record.restartCount++;
        await this.startLocked(container);
      });
      restart.catch((error: unknown) => this.deps.log.error("a restart failed", { container: container.id, error }));
    }, delay);
  }
}
