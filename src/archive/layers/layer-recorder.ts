/** A layer's archive that nobody keeps: what remains of its bytes is their digest, and the tar-split that brings them back. */
import { readFilled } from "../byte-sink.ts";
import type { TarSplitWriter } from "../tar/tar-split.ts";
import type { TarSink } from "../tar/tar-writer.ts";

export class LayerRecorder implements TarSink {
  private readonly split: TarSplitWriter;
  private readonly hasher = new Bun.CryptoHasher("sha256");
  private readonly buffer = Buffer.allocUnsafeSlow(1 << 20);
  private used = 0;
  /** So much of the buffer is in the tar-split. */
  private noted = 0;
  /** The file that content comes from, as the tar-split is to know it. */
  file = "";
  /** Sees the content. */
  receive: ((chunk: Buffer, offset: number) => void) | undefined;

  constructor(split: TarSplitWriter) {
    this.split = split;
  }

  write(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; at += this.buffer.length) {
      const part = chunk.subarray(at, at + this.buffer.length);
      this.reserve(part.length).set(part);
    }
  }

  reserve(size: number): Buffer {
    if (size > this.buffer.length - this.used) this.flush();
    this.used += size;
    return this.buffer.subarray(this.used - size, this.used);
  }

  content(descriptor: number, offset: number, length: number): void {
    this.note();
    for (let done = 0; done < length; ) {
      const chunk = this.reserve(Math.min(length - done, this.buffer.length));
      readFilled(descriptor, chunk, offset + done);
      this.noted = this.used;
      this.receive?.(chunk, offset + done);
      done += chunk.length;
    }
    this.split.content(this.file, offset, length);
  }

  flush(): void {
    this.note();
    this.hasher.update(this.buffer.subarray(0, this.used));
    this.used = this.noted = 0;
  }

  /** The archive's digest. */
  finish(): string {
    this.flush();
    this.split.finish();
    return `sha256:${this.hasher.digest("hex")}`;
  }

  private note(): void {
    this.split.bytes(this.buffer.subarray(this.noted, this.used));
    this.noted = this.used;
  }
}
