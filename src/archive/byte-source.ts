/** Blocking reads of a stream through one large buffer. For child processes, which have nothing else to do. */
import { fstatSync, readSync } from "node:fs";
import { errorCode, invalidArgument } from "../base/errors.ts";

/** The words of Go, which Docker's users know. */
export const unexpectedEof = () => invalidArgument("unexpected EOF");

export interface ByteSourceOptions {
  /** Read this range of a file rather than the stream at its own position. */
  range?: { offset: number; size?: number | undefined } | undefined;
  /** Sees every byte, in order, before anyone else. */
  onRead?: (chunk: Buffer) => void;
  bufferSize?: number;
}

/** As read(2): returns how many bytes came, 0 at the end. */
export type BlockingRead = (buffer: Buffer, at: number, room: number, position: number | null) => number;

export class ByteSource {
  private readonly read: BlockingRead;
  private readonly buffer: Buffer;
  private readonly onRead: ((chunk: Buffer) => void) | undefined;
  private position: number | null;
  private remaining: number;
  private start = 0;
  private end = 0;

  /** `source`: an open descriptor, or what reads in its place. */
  constructor(source: number | BlockingRead, { range, onRead, bufferSize = 1 << 20 }: ByteSourceOptions = {}) {
    this.read = typeof source === "number" ? (...place) => readBlocking(source, ...place) : source;
    this.buffer = Buffer.allocUnsafeSlow(bufferSize);
    this.onRead = onRead;
    this.position = range ? range.offset : null;
    this.remaining = range?.size ?? Number.POSITIVE_INFINITY;
    if (range && typeof source === "number" && range.offset > fstatSync(source).size) throw unexpectedEof();
  }

  /** The next `size` bytes (at most the buffer's size), valid until the next call; undefined at the end. Throws when it ends amid them. */
  take(size: number): Buffer | undefined {
    while (this.end - this.start < size) {
      if (this.fill()) continue;
      if (this.start === this.end) return undefined;
      throw unexpectedEof();
    }
    const chunk = this.buffer.subarray(this.start, this.start + size);
    this.start += size;
    return chunk;
  }

  /** Between one and `max` bytes, valid until the next call; undefined at the end. */
  some(max: number): Buffer | undefined {
    if (this.start === this.end && !this.fill()) return undefined;
    const size = Math.min(max, this.end - this.start);
    const chunk = this.buffer.subarray(this.start, this.start + size);
    this.start += size;
    return chunk;
  }

  /** The first bytes without taking them: fewer than `size` only when there are no more. */
  peek(size: number): Buffer {
    while (this.end - this.start < size && this.fill());
    return this.buffer.subarray(this.start, Math.min(this.end, this.start + size));
  }

  private fill(): boolean {
    if (this.start === this.end) this.start = this.end = 0;
    else if (this.start > 0 && this.end === this.buffer.length) {
      this.buffer.copyWithin(0, this.start, this.end);
      this.end -= this.start;
      this.start = 0;
    }
    const room = Math.min(this.buffer.length - this.end, this.remaining);
    if (room === 0) return false;
    const count = this.read(this.buffer, this.end, room, this.position);
    if (count === 0) {
      // For good: what reads in a descriptor's place may have something else behind the end.
      this.remaining = 0;
      return false;
    }
    this.onRead?.(this.buffer.subarray(this.end, this.end + count));
    this.end += count;
    this.remaining -= count;
    if (this.position !== null) this.position += count;
    return true;
  }
}

/** read(2), also when someone has set the descriptor to not block. */
export function readBlocking(
  descriptor: number,
  buffer: Buffer,
  at: number,
  room: number,
  position: number | null,
): number {
  for (;;) {
    try {
      return readSync(descriptor, buffer, at, room, position);
    } catch (error) {
      if (errorCode(error) === "EAGAIN") Bun.sleepSync(1);
      else if (errorCode(error) !== "EINTR") throw error;
    }
  }
}
