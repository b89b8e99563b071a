/** Reads an ingest while it is written, up to its end: what is on disk already and what still comes are one stream. */
import type { Ingest } from "../../../content/content.ts";

export class Follower {
  private readonly ingest: Pick<Ingest, "offset" | "read">;
  private readonly chunkSize: number;
  private change = Promise.withResolvers<void>();
  private state: { ended: boolean; error?: unknown } = { ended: false };
  /** Called with the bytes read so far. */
  onRead: (position: number) => void = () => {};

  constructor(ingest: Pick<Ingest, "offset" | "read">, chunkSize: number) {
    this.ingest = ingest;
    this.chunkSize = chunkSize;
  }

  /** There is more to read. */
  wake(): void {
    this.change.resolve();
    this.change = Promise.withResolvers();
  }

  /** Nothing more will be written. */
  end(): void {
    this.state = { ended: true };
    this.wake();
  }

  /** The reader gets this error, unless it has read all already. */
  fail(error: unknown): void {
    if (!this.state.ended) this.state = { ended: true, error };
    this.wake();
  }

  async *read(): AsyncGenerator<Uint8Array> {
    for (let position = 0; ; ) {
      const { change, state } = this;
      if ("error" in state) throw state.error;
      if (position < this.ingest.offset) {
        const chunk = await this.ingest.read(position, this.chunkSize);
        position += chunk.length;
        this.onRead(position);
        yield chunk;
      } else if (state.ended) return;
      else await change.promise;
    }
  }
}
