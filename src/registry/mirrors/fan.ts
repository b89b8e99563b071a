/** One stream for two: bytes that are being stored are also sent to whoever asked for them first. The slower of the two sets the pace. */

export class Fan {
  /** That there are bytes to come, and how many if that is known; rejects when there was no finding out. */
  readonly opened: Promise<{ size: number | undefined } | undefined>;
  private outcome: Promise<number | undefined> | undefined;
  private tell: (opened: { size: number | undefined } | undefined) => void = () => undefined;
  private fail: (error: unknown) => void = () => undefined;
  private controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  private wanted: (() => void) | undefined;

  constructor() {
    this.opened = new Promise((resolve, reject) => {
      this.tell = resolve;
      this.fail = reject;
    });
    this.opened.catch(() => undefined);
  }

  open(size: number | undefined): void {
    this.tell({ size });
  }

  /** What `run` was given. */
  get finished(): Promise<number | undefined> {
    return this.outcome ?? Promise.resolve(undefined);
  }

  /** Takes the work whose bytes these are; its end, good or bad, is the branch's. */
  run(work: Promise<number | undefined>): Promise<number | undefined> {
    this.outcome = work.then(
      (size) => {
        this.tell(undefined);
        this.end((controller) => controller.close());
        return size;
      },
      (error) => {
        this.fail(error);
        this.end((controller) => controller.error(error));
        throw error;
      },
    );
    this.outcome.catch(() => undefined);
    return this.outcome;
  }

  /** The bytes for the client. When it goes away, the storing goes on. */
  branch(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.controller = controller;
        },
        pull: () => this.wanted?.(),
        cancel: () => {
          this.controller = undefined;
          this.wanted?.();
        },
      },
      { highWaterMark: 4 },
    );
  }

  /** Passes a body on, chunk by chunk, to the branch too. */
  async *through(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for await (const chunk of body) {
      yield chunk;
      if (!this.controller) continue;
      this.controller.enqueue(chunk.slice());
      if ((this.controller.desiredSize ?? 1) <= 0) await this.untilWanted();
    }
  }

  private untilWanted(): Promise<void> {
    return new Promise((resolve) => {
      this.wanted = () => {
        this.wanted = undefined;
        resolve();
      };
    });
  }

  private end(how: (controller: ReadableStreamDefaultController<Uint8Array>) => void): void {
    const { controller } = this;
    this.controller = undefined;
    if (controller) how(controller);
  }
}
