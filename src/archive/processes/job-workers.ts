/**
 * Child processes of this executable that are kept for more than one job (the other side: serve-jobs.ts): starting one takes longer
 * than most jobs do. Each runs one job at a time; there are as many as there are jobs at once, and one waits for the next job.
 */
import { closeSync } from "node:fs";
import { canceled, EngineError, internal } from "../../base/errors.ts";
import { selfArgv } from "../../base/self.ts";
import { type Bytes, lines } from "../../base/streams.ts";
import { makePipe, writeAll } from "../../linux/pipe.ts";
import type { ChildVerb } from "./run-child.ts";
import type { JobAnswer } from "./serve-jobs.ts";

/** How long a process waits for a job before it is ended, in milliseconds. */
const patience = 30_000;

export interface JobOptions {
  /** The stream that comes with the job. */
  input?: Bytes | undefined;
  signal?: AbortSignal | undefined;
}

export class JobWorkers implements AsyncDisposable {
  private readonly verb: ChildVerb;
  private readonly all = new Set<Worker>();
  private idle: { worker: Worker; timer: ReturnType<typeof setTimeout> } | undefined;

  /** `verb` is one that serves. */
  constructor(verb: ChildVerb) {
    this.verb = verb;
  }

  /** Starts a process if none waits, so that the first job need not. */
  warm(): void {
    if (!this.idle) this.rest(this.start());
  }

  /** Rejects with the job's own EngineError, the stream's error, or `canceled`. */
  async run(job: object, options: JobOptions = {}): Promise<unknown> {
    options.signal?.throwIfAborted();
    const worker = this.take();
    let failed = true;
    try {
      const result = await worker.run(job, options);
      failed = false;
      return result;
    } finally {
      if (failed) await worker.end();
      else this.rest(worker);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.idle) clearTimeout(this.idle.timer);
    this.idle = undefined;
    await Promise.all([...this.all].map((worker) => worker.end()));
  }

  private start(): Worker {
    const worker = new Worker(this.verb);
    this.all.add(worker);
    void worker.ended.then(() => {
      this.all.delete(worker);
      if (this.idle?.worker !== worker) return;
      clearTimeout(this.idle.timer);
      this.idle = undefined;
    });
    return worker;
  }

  private take(): Worker {
    const { idle } = this;
    if (!idle) return this.start();
    clearTimeout(idle.timer);
    this.idle = undefined;
    return idle.worker;
  }

  private rest(worker: Worker): void {
    if (this.idle) {
      void worker.end();
      return;
    }
    const timer = setTimeout(() => {
      this.idle = undefined;
      void worker.end();
    }, patience);
    timer.unref();
    this.idle = { worker, timer };
  }
}

class Worker {
  private readonly child: Bun.Subprocess<number, "pipe", "pipe">;
  private readonly answers: AsyncGenerator<string>;
  private readonly input: number;
  private complaint = "";
  /** The process takes no more. */
  private gone = false;
  /** Settles when nothing is being written to the process. */
  private writing = Promise.resolve();
  readonly ended: Promise<unknown>;

  constructor(verb: ChildVerb) {
    const { readEnd, writeEnd } = makePipe();
    this.child = Bun.spawn(selfArgv(verb), { stdin: readEnd, stdout: "pipe", stderr: "pipe" });
    closeSync(readEnd);
    this.input = writeEnd;
    this.answers = lines(this.child.stdout as Bytes);
    void this.listen();
    this.ended = this.child.exited.then(async () => {
      // A descriptor that is closed may be another file's the next moment: who still has something to write must know before.
      this.gone = true;
      await this.writing;
      closeSync(writeEnd);
    });
  }

  async run(job: object, { input, signal }: JobOptions): Promise<unknown> {
    const kill = () => this.child.kill("SIGKILL");
    signal?.addEventListener("abort", kill, { once: true });
    try {
      const sending = this.send(job, input).catch((error: unknown) => {
        kill();
        return error ?? internal("the stream ended with an error");
      });
      const { value } = await this.answers.next();
      if (signal?.aborted) throw canceled("context canceled");
      const answer = value === undefined ? undefined : (JSON.parse(value) as JobAnswer);
      if (answer && "error" in answer) throw new EngineError(answer.error.kind, answer.error.message);
      const problem = await sending;
      if (problem !== undefined) throw problem;
      if (!answer) throw internal(`a process for ${JSON.stringify(job)} ended: ${this.complaint.trim()}`);
      return answer.result;
    } finally {
      signal?.removeEventListener("abort", kill);
    }
  }

  async end(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.ended;
  }

  /** Rejects with an error of the stream; one of the process shows in its answer. */
  private async send(job: object, input: Bytes | undefined): Promise<void> {
    await this.write(Buffer.from(JSON.stringify(job)));
    if (!input) return;
    for await (const chunk of input) {
      await this.writing;
      if (this.gone) return;
      // Not waited for: the next chunk may come meanwhile.
      if (chunk.length > 0) void this.write(chunk);
    }
    await this.writing;
    await this.write(new Uint8Array());
  }

  /** One frame; nothing once the process is gone. Never rejects. */
  private write(chunk: Uint8Array): Promise<void> {
    if (this.gone) return Promise.resolve();
    const length = Buffer.alloc(4);
    length.writeUInt32LE(chunk.length);
    this.writing = writeAll(this.input, [length, chunk]).catch(() => {
      this.gone = true;
    });
    return this.writing;
  }

  private async listen(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.child.stderr as Bytes)
      if (this.complaint.length < 4096) this.complaint += decoder.decode(chunk);
  }
}
