/**
 * Network sandboxes made ahead: a namespace with eth0 on the bridge, only its address missing. A start takes one; the pool refills
 * itself a moment later, off the start's path. Sandboxes in the pool are owned by nobody: after a crash they are orphans.
 */
import { join } from "node:path";
import type { Logger } from "../../../base/log.ts";
import type { NetworkThread } from "../../../linux/network/network-thread.ts";
import { newSandboxId, sandboxFile, vethName } from "../settings/network-names.ts";

export interface PreparedSandbox {
  id: string;
  /** Path of its namespace. */
  path: string;
  veth: string;
}

export interface PoolOptions {
  directory: string;
  bridge: string;
  mtu: number;
  icc: boolean;
  size: number;
}

/** The refill begins this many ms after a take, when the start that took is past its busiest moment. */
const refillDelay = 40;

export class SandboxPool {
  private readonly options: PoolOptions;
  private readonly thread: NetworkThread;
  private readonly logger: Logger;
  private readonly ready: PreparedSandbox[] = [];
  private refilling: Promise<void> | undefined;
  private timer: Timer | undefined;
  private closed = false;

  constructor(options: PoolOptions, thread: NetworkThread, logger: Logger) {
    this.options = options;
    this.thread = thread;
    this.logger = logger;
  }

  /** A ready sandbox, or one made now. It is the caller's. */
  async take(): Promise<PreparedSandbox> {
    this.scheduleRefill();
    return this.ready.shift() ?? (await this.make());
  }

  /** Gives back one that was never attached. */
  giveBack(sandbox: PreparedSandbox): void {
    this.ready.push(sandbox);
  }

  /** Fills the pool now; for the daemon's start and for tests. */
  async fill(): Promise<void> {
    this.refilling ??= this.makeMissing().finally(() => {
      this.refilling = undefined;
    });
    await this.refilling;
  }

  /** Stops refilling and hands over what is left, to be destroyed. */
  async close(): Promise<PreparedSandbox[]> {
    this.closed = true;
    clearTimeout(this.timer);
    await this.refilling;
    const rest = this.ready.splice(0);
    await Promise.all(rest.map(({ path }) => this.thread.call("forgetSandbox", path)));
    return rest;
  }

  private scheduleRefill(): void {
    if (this.closed || this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      void this.fill();
    }, refillDelay);
    this.timer.unref();
  }

  private async makeMissing(): Promise<void> {
    try {
      while (!this.closed && this.ready.length < this.options.size) this.ready.push(await this.make());
    } catch (error) {
      this.logger.warn("network sandboxes cannot be made ahead", { error });
    }
  }

  private async make(): Promise<PreparedSandbox> {
    const { directory, bridge, mtu, icc } = this.options;
    const id = newSandboxId();
    const sandbox = { id, path: join(directory, sandboxFile(id)), veth: vethName(id) };
    await this.thread.call("prepareSandbox", { path: sandbox.path, veth: sandbox.veth, bridge, mtu, icc });
    return sandbox;
  }
}
