/**
 * Shim processes started ahead: a container then starts without waiting for a fork and exec of its shim (about 2 ms). An idle
 * one costs a tenth of a MiB and ends with the daemon.
 */
import { type IdleShim, Shim, type ShimStart, spawnIdle } from "./shim.ts";

export class ShimPool {
  private readonly shimPath: string;
  private readonly size: number;
  private readonly program: number | undefined;
  private idle: IdleShim[] = [];
  private refill: ReturnType<typeof setTimeout> | undefined;
  private closed = false;

  /** `program`: descriptor of the default runtime's sealed copy, which a shim then finds as `sealedProgram`. */
  constructor(shimPath: string, size = 2, program?: number) {
    this.shimPath = shimPath;
    this.size = size;
    this.program = program;
    this.fill();
  }

  /** As `Shim.spawn`, from an idle process when there is one. */
  spawn(start: ShimStart): Shim {
    const shim = Shim.launch(this.take() ?? spawnIdle(this.shimPath, this.program), start);
    // Not while the runtime is at work: it has a use for the processor.
    this.refill ??= setTimeout(() => this.fill(), 50);
    return shim;
  }

  /** Ends the idle processes; those in use are not touched. */
  close(): void {
    this.closed = true;
    clearTimeout(this.refill);
    for (const child of this.idle) child.kill("SIGKILL");
    this.idle = [];
  }

  private take(): IdleShim | undefined {
    this.idle = this.idle.filter((child) => child.exitCode === null && child.signalCode === null);
    return this.idle.pop();
  }

  private fill(): void {
    this.refill = undefined;
    if (this.closed) return;
    while (this.idle.length < this.size) {
      const child = spawnIdle(this.shimPath, this.program);
      child.unref();
      this.idle.push(child);
    }
  }
}
