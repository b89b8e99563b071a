/** Blocking writes of a stream through one large buffer. For child processes. */
import { readSync, writeSync } from "node:fs";
import { errorCode } from "../base/errors.ts";
import type { TarSink } from "./tar/tar-writer.ts";

export class ByteSink implements TarSink {
  private readonly descriptor: number;
  private readonly buffer: Buffer;
  private used = 0;

  constructor(descriptor: number, bufferSize = 1 << 20) {
    this.descriptor = descriptor;
    this.buffer = Buffer.allocUnsafeSlow(bufferSize);
  }

  write(chunk: Uint8Array): void {
    if (chunk.length > this.buffer.length - this.used) this.flush();
    if (chunk.length >= this.buffer.length) {
      writeAll(this.descriptor, chunk);
    } else {
      this.buffer.set(chunk, this.used);
      this.used += chunk.length;
    }
  }

  /** Room for `size` bytes (at most the buffer's size) that the caller fills at once. */
  reserve(size: number): Buffer {
    if (size > this.buffer.length - this.used) this.flush();
    this.used += size;
    return this.buffer.subarray(this.used - size, this.used);
  }

  content(descriptor: number, offset: number, length: number): void {
    for (let done = 0; done < length; ) {
      const chunk = this.reserve(Math.min(length - done, this.buffer.length));
      readFilled(descriptor, chunk, offset + done);
      done += chunk.length;
    }
  }

  flush(): void {
    writeAll(this.descriptor, this.buffer.subarray(0, this.used));
    this.used = 0;
  }
}

/** Fills the chunk from a place of a file; behind the file's end are zeros. */
export function readFilled(descriptor: number, chunk: Buffer, position: number): void {
  for (let at = 0; at < chunk.length; ) {
    const count = readSync(descriptor, chunk, at, chunk.length - at, position + at);
    if (count === 0) chunk.fill(0, at);
    at = count === 0 ? chunk.length : at + count;
  }
}

/** write(2) until all is written, also to a pipe that someone has set to not block. `position` is for files. */
export function writeAll(descriptor: number, chunk: Uint8Array, position: number | null = null): void {
  let at = 0;
  while (at < chunk.length) {
    try {
      at += writeSync(descriptor, chunk, at, chunk.length - at, position === null ? null : position + at);
    } catch (error) {
      if (errorCode(error) === "EAGAIN") Bun.sleepSync(1);
      else if (errorCode(error) !== "EINTR") throw error;
    }
  }
}
