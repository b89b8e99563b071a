/** What a build has said so far and goes on to say, as BuildKit's clients are told it: vertices, their logs, statuses and warnings. */

import type { StatusResponse, Timestamp, Vertex, VertexWarning } from "../buildkit-api/protocol/messages.ts";
import { digestOf } from "../oci/digest.ts";

export function now(): Timestamp {
  const millis = performance.timeOrigin + performance.now();
  const seconds = Math.floor(millis / 1000);
  return { seconds, nanos: Math.floor((millis - seconds * 1000) * 1e6) };
}

export class Progress {
  private readonly said: StatusResponse[] = [];
  private readonly digests = new Map<string, number>();
  private ended = false;
  private waiting: (() => void)[] = [];

  say(message: StatusResponse): void {
    this.said.push(message);
    this.wake();
  }

  /** What has been said so far. */
  get all(): readonly StatusResponse[] {
    return this.said;
  }

  /** Nothing more is said. */
  end(): void {
    this.ended = true;
    this.wake();
  }

  /** A step that is announced, and started later or never. */
  vertex(name: string, inputs: readonly string[] = []): VertexProgress {
    const count = (this.digests.get(name) ?? 0) + 1;
    this.digests.set(name, count);
    return new VertexProgress(this, { digest: digestOf(`${name}\n${count}`), name, inputs: [...inputs] });
  }

  /** Everything from the beginning until `end`. */
  async *follow(signal: AbortSignal): AsyncGenerator<StatusResponse> {
    const wake = () => this.wake();
    signal.addEventListener("abort", wake, { once: true });
    try {
      for (let at = 0; !signal.aborted; ) {
        const message = this.said[at];
        if (message) {
          at++;
          yield message;
        } else if (this.ended) return;
        else await new Promise<void>((resolve) => this.waiting.push(resolve));
      }
    } finally {
      signal.removeEventListener("abort", wake);
    }
  }

  private wake(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

/** Bytes of one step's output that are kept and told, as in BuildKit: all of a build is, until its client has had time to ask. */
const maxLog = 2 << 20;
const clipped = Buffer.from("\n[output clipped, log limit 2MiB reached]\n");

export class VertexProgress {
  readonly vertex: Vertex;
  private logged = 0;
  private readonly progress: Progress;

  constructor(progress: Progress, vertex: Vertex) {
    this.progress = progress;
    this.vertex = vertex;
  }

  get digest(): string {
    return this.vertex.digest;
  }

  /** Shown as to come. */
  announce(): void {
    this.progress.say({ vertexes: [{ ...this.vertex }] });
  }

  start(): void {
    if (this.vertex.started) return;
    this.vertex.started = now();
    this.announce();
  }

  /** `error`: why it failed. */
  complete(options: { cached?: boolean; error?: string } = {}): void {
    this.vertex.started ??= now();
    Object.assign(this.vertex, options);
    this.vertex.completed = now();
    this.announce();
  }

  log(stream: "stdout" | "stderr", bytes: Uint8Array): void {
    const room = maxLog - this.logged;
    if (room <= 0) return;
    this.logged += bytes.length;
    const msg = bytes.length < room ? bytes : Buffer.concat([bytes.subarray(0, room), clipped]);
    this.progress.say({
      logs: [{ vertex: this.digest, timestamp: now(), stream: stream === "stdout" ? 1 : 2, msg }],
    });
  }

  warn(warning: Omit<VertexWarning, "vertex" | "level">): void {
    this.progress.say({ warnings: [{ ...warning, vertex: this.digest, level: 1 }] });
  }

  /** A line below the vertex, such as `transferring context:`, with a count. */
  status(id: string, name = ""): StatusProgress {
    return new StatusProgress(this.progress, this.digest, id, name);
  }

  /** Does something between start and end; its failure is the vertex's. */
  async around<T>(work: (vertex: VertexProgress) => Promise<T>): Promise<T> {
    this.start();
    try {
      const result = await work(this);
      this.complete();
      return result;
    } catch (error) {
      this.complete({ error: (error as Error).message });
      throw error;
    }
  }
}

/** Counts of one kind are told this often at most. */
const tellMillis = 150;

export class StatusProgress {
  private readonly progress: Progress;
  private readonly fixed: { vertex: string; ID: string; name: string; started: Timestamp };
  private told = 0;

  constructor(progress: Progress, vertex: string, ID: string, name: string) {
    this.progress = progress;
    this.fixed = { vertex, ID, name, started: now() };
    this.tell({ current: 0 });
  }

  update(current: number, total = 0): void {
    if (performance.now() - this.told >= tellMillis) this.tell({ current, total });
  }

  complete(current = 0, total = 0): void {
    this.tell({ current, total, completed: now() });
  }

  private tell(counts: { current: number; total?: number; completed?: Timestamp }): void {
    this.told = performance.now();
    this.progress.say({ statuses: [{ ...this.fixed, timestamp: now(), ...counts }] });
  }
}
