/** Acting on a running container: stop, restart, kill, pause, unpause, resize. */
import { conflict, EngineError, internal, notModified } from "../../base/errors.ts";
import { parseSignal, signalNumber } from "../../oci/signals.ts";
import type { Container } from "./container.ts";
import type { ContainerEvents } from "./container-events.ts";
import type { ContainerStore } from "./container-store.ts";
import type { Lifecycle } from "./lifecycle/lifecycle.ts";

export interface Freezer {
  freeze(container: Container): Promise<void>;
  thaw(container: Container): Promise<void>;
}

export interface StopOptions {
  signal?: string | undefined;
  /** Seconds until SIGKILL; -1 waits for ever; undefined: the container's own, or 10. */
  timeout?: number | undefined;
}

const defaultStopTimeout = 10;

export class ContainerControl {
  private readonly store: ContainerStore;
  private readonly lifecycle: Lifecycle;
  private readonly freezer: Freezer;
  private readonly events: ContainerEvents;

  constructor(deps: { store: ContainerStore; lifecycle: Lifecycle; freezer: Freezer; events: ContainerEvents }) {
    this.store = deps.store;
    this.lifecycle = deps.lifecycle;
    this.freezer = deps.freezer;
    this.events = deps.events;
  }

  /** Rejects `not-modified` when it does not run. */
  async stop(container: Container, options: StopOptions): Promise<void> {
    const signal = parseSignal(options.signal || container.record.config.StopSignal || "SIGTERM");
    this.markStopped(container);
    if (container.isRestarting) {
      await container.lifecycle.run(async () => void this.lifecycle.cancelRestart(container));
      if (!container.isRunning) return;
    }
    if (!container.isRunning) throw notModified(`container ${container.id} is not running`);
    const timeout = options.timeout ?? container.record.config.StopTimeout ?? defaultStopTimeout;
    await this.stopProcess(container, signal, timeout);
    this.events.publish(container, "stop");
  }

  /** Ends the process without anybody having asked for it: its restart policy decides when the daemon starts. Idempotent. */
  async endWithDaemon(container: Container): Promise<void> {
    // A start that has begun has its process after this.
    await container.lifecycle.run(async () => undefined);
    if (!container.isRunning) return;
    const { StopSignal, StopTimeout } = container.record.config;
    await this.stopProcess(container, parseSignal(StopSignal || "SIGTERM"), StopTimeout ?? defaultStopTimeout);
    // Its mounts and its network are gone after this, too.
    await container.lifecycle.run(async () => undefined);
    this.events.publish(container, "stop");
  }

  async restart(container: Container, options: StopOptions): Promise<void> {
    container.endsForRestart = true;
    try {
      if (container.isRunning || container.isRestarting) await this.stop(container, options);
    } finally {
      container.endsForRestart = false;
    }
    await this.lifecycle.start(container);
    this.events.publish(container, "restart");
  }

  async kill(container: Container, signalName: string): Promise<void> {
    const signal = parseSignal(signalName);
    if (container.isRestarting) {
      this.markStopped(container);
      await container.lifecycle.run(async () => void this.lifecycle.cancelRestart(container));
      return;
    }
    if (!container.isRunning) throw conflict(`container ${container.id} is not running`);
    const stopSignal = parseSignal(container.record.config.StopSignal || "SIGTERM");
    if (signal === signalNumber.SIGKILL || signal === stopSignal) this.markStopped(container);
    await this.send(container, signal);
    this.events.publish(container, "kill", { signal: String(signal) });
    if (signal !== signalNumber.SIGKILL) return;
    const exit = container.isRunning ? container.nextExit() : Promise.resolve();
    if (container.isPaused) await this.freezer.thaw(container);
    // Docker answers once the process is gone, or after ten seconds all the same.
    await Promise.race([exit, Bun.sleep(10_000)]);
  }

  /** Ends the process for a forced removal. */
  async killForRemoval(container: Container): Promise<void> {
    this.markStopped(container);
    await container.lifecycle.run(async () => void this.lifecycle.cancelRestart(container));
    if (container.isRunning) await this.stopProcess(container, signalNumber.SIGKILL, 10);
  }

  pause(container: Container): Promise<void> {
    return container.lifecycle.run(async () => {
      if (!container.isRunning) throw conflict(`container ${container.id} is not running`);
      if (container.isPaused) throw conflict(`Container ${container.id} is already paused`);
      await this.freezer.freeze(container);
      container.record.state.status = "paused";
      this.store.save(container);
      this.events.publish(container, "pause");
    });
  }

  unpause(container: Container): Promise<void> {
    return container.lifecycle.run(async () => {
      if (!container.isPaused) throw internal(`Container ${container.id} is not paused`);
      await this.freezer.thaw(container);
      container.record.state.status = "running";
      this.store.save(container);
      this.events.publish(container, "unpause");
    });
  }

  async resize(container: Container, { height, width }: { height: number; width: number }): Promise<void> {
    const { shim } = container;
    if (!shim || !container.isRunning) throw conflict(`container ${container.id} is not running`);
    // Docker takes the size of what has no terminal, and forgets it.
    if (container.record.config.Tty) await shim.resize(height, width);
    this.events.publish(container, "resize", { height: String(height), width: String(width) });
  }

  private markStopped(container: Container): void {
    container.record.manuallyStopped = true;
    this.store.save(container);
  }

  /** Signal, wait, SIGKILL, wait. Resolves when the end has been recorded. */
  private async stopProcess(container: Container, signal: number, timeoutSeconds: number): Promise<void> {
    const exit = container.nextExit();
    await this.send(container, signal);
    this.events.publish(container, "kill", { signal: String(signal) });
    if (container.isPaused) await this.freezer.thaw(container);
    if (timeoutSeconds < 0) {
      await exit;
      return;
    }
    const inTime = await Promise.race([exit.then(() => true), Bun.sleep(timeoutSeconds * 1000).then(() => false)]);
    if (inTime) return;
    await this.send(container, signalNumber.SIGKILL);
    this.events.publish(container, "kill", { signal: "9" });
    await exit;
  }

  /** A process that has just ended is no error: its exit is on its way. */
  private async send(container: Container, signal: number): Promise<void> {
    try {
      await container.shim?.signal(signal);
    } catch (error) {
      if (!(error instanceof EngineError) || error.kind !== "conflict") throw error;
    }
  }
}
