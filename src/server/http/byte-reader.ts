/**
 * Pulls bytes from a socket with back-pressure: reads ahead a little, then pauses the socket until the bytes are taken. What is not
 * taken can be given back to the socket, for whoever takes it over.
 */
import type { Socket } from "node:net";
import { type TakenSocket, takeSocket, writableDescriptor } from "../../linux/pass-descriptor.ts";

/** Read-ahead at which the socket is paused. */
const highWater = 256 * 1024;

export class ByteReader {
  private readonly socket: Socket;
  private readonly onEof: () => void;
  private chunks: Buffer[] = [];
  private size = 0;
  private paused = false;
  private ended = false;
  /** `handOver` was called, and succeeded. */
  handedOver = false;
  private wake: (() => void) | undefined;
  private readonly listeners: { event: string; listener: (chunk: Buffer) => void }[];

  /** `onEof` is called once: when the client half-closed or closed. */
  constructor(socket: Socket, onEof: () => void) {
    this.socket = socket;
    this.onEof = onEof;
    this.listeners = [
      { event: "data", listener: (chunk) => this.push(chunk) },
      { event: "end", listener: () => this.finish() },
      { event: "close", listener: () => this.finish() },
    ];
    for (const { event, listener } of this.listeners) socket.on(event, listener);
  }

  /** Bytes that are there to take. */
  get available(): number {
    return this.size;
  }

  /** Waits for more bytes than `have`; false when none will come. */
  async more(have = 0): Promise<boolean> {
    while (this.size <= have && !this.ended) {
      this.resume();
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      this.wake = undefined;
    }
    return this.size > have;
  }

  /** The next chunk, at most `limit` bytes, without copying; undefined at the end of the stream. */
  async take(limit: number): Promise<Buffer | undefined> {
    if (!(await this.more())) return undefined;
    const chunk = this.chunks[0] as Buffer;
    if (chunk.length <= limit) this.chunks.shift();
    else this.chunks[0] = chunk.subarray(limit);
    const taken = chunk.length <= limit ? chunk : chunk.subarray(0, limit);
    this.size -= taken.length;
    if (this.size < highWater) this.resume();
    return taken;
  }

  /** The bytes before `delimiter`, which is taken too. Undefined at the end of the stream; throws RangeError beyond `limit`. */
  async takeUntil(delimiter: string, limit: number): Promise<Buffer | undefined> {
    let searched = 0;
    if (!(await this.more())) return undefined;
    for (;;) {
      const all = this.joinedWith(delimiter, limit);
      const at = all.indexOf(delimiter, Math.max(0, searched - delimiter.length), "latin1");
      if (at > limit || (at < 0 && all.length > limit)) throw new RangeError("line too long");
      if (at >= 0) {
        const rest = all.subarray(at + delimiter.length);
        if (rest.length > 0) this.chunks[0] = rest;
        else this.chunks.shift();
        this.size -= at + delimiter.length;
        return all.subarray(0, at);
      }
      searched = all.length;
      if (!(await this.more(all.length))) return undefined;
    }
  }

  /** Stops reading; the socket is left paused with everything that was not taken put back. */
  release(): void {
    this.socket.pause();
    for (const { event, listener } of this.listeners) this.socket.off(event, listener);
    if (this.size > 0) this.socket.unshift(this.joined());
    this.chunks = [];
    this.size = 0;
  }

  /** Whether `handOver` is possible: the socket is a plain one. */
  get canHandOver(): boolean {
    return !this.ended && writableDescriptor(this.socket) !== undefined;
  }

  /** Stops reading for good, so that another process can go on; from then on this is at its end. Undefined when the client has gone. */
  async handOver(): Promise<TakenSocket | undefined> {
    const { socket } = this;
    this.ended = true;
    this.handedOver = true;
    socket.pause();
    for (const { event, listener } of this.listeners) socket.off(event, listener);
    const taken = await takeSocket(socket);
    if (!taken) return undefined;
    const ahead = Buffer.concat([...this.chunks, taken.ahead]);
    this.chunks = [];
    this.size = 0;
    return { descriptor: taken.descriptor, ahead };
  }

  /** The first chunk, made long enough for what `takeUntil` looks for; what lies beyond is not copied. */
  private joinedWith(delimiter: string, limit: number): Buffer {
    let first = this.chunks[0] as Buffer;
    while (this.chunks.length > 1 && first.length <= limit && !first.includes(delimiter, 0, "latin1")) {
      const [, second] = this.chunks as [Buffer, Buffer];
      const needed = second.subarray(0, limit + delimiter.length);
      first = Buffer.concat([first, needed]);
      const rest = second.subarray(needed.length);
      this.chunks.splice(0, 2, first, ...(rest.length > 0 ? [rest] : []));
    }
    return first;
  }

  private joined(): Buffer {
    if (this.chunks.length !== 1) this.chunks = [Buffer.concat(this.chunks)];
    return this.chunks[0] as Buffer;
  }

  private push(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.size += chunk.length;
    if (this.size >= highWater && !this.paused) {
      this.paused = true;
      this.socket.pause();
    }
    this.wake?.();
  }

  private resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.socket.resume();
  }

  private finish(): void {
    if (this.ended) return;
    this.ended = true;
    this.wake?.();
    this.onEof();
  }
}
