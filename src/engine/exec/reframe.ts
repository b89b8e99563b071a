/**
 * Output of an exec for a client that asked for the other form. Whether output is framed as stdcopy is said when an exec is started,
 * whether it has a terminal when it is created: dockerd's clients may say different things, and get what they asked for last.
 */
import { Duplex } from "node:stream";
import { frame } from "../../api/stdcopy.ts";
import { StdcopyReader } from "../../api/stdcopy-reader.ts";

/** A client whose output is rewritten on its way: `framed` says whether what is written comes framed. */
export function reframe(client: Duplex, framed: boolean): Duplex {
  const reader = new StdcopyReader();
  return new RewrittenOutput(
    client,
    framed ? (chunk) => reader.read(chunk).flatMap(({ parts }) => parts) : (chunk) => [frame("stdout", chunk)],
  );
}

class RewrittenOutput extends Duplex {
  private readonly client: Duplex;
  private readonly rewrite: (chunk: Uint8Array) => Uint8Array[];

  constructor(client: Duplex, rewrite: (chunk: Uint8Array) => Uint8Array[]) {
    super({ allowHalfOpen: true });
    this.client = client;
    this.rewrite = rewrite;
    client.on("data", (chunk: Buffer) => {
      if (!this.push(chunk)) client.pause();
    });
    client.once("end", () => this.push(null));
    client.once("close", () => this.destroy());
    client.once("error", () => this.destroy());
  }

  override _read(): void {
    this.client.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    let flowing = true;
    for (const part of this.rewrite(chunk)) flowing = this.client.write(part);
    if (flowing || this.client.destroyed) done();
    else this.client.once("drain", done);
  }

  override _final(done: () => void): void {
    this.client.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.client.destroy();
    done(error);
  }
}
