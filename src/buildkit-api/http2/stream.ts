/** One request and its answer within an HTTP/2 connection: headers and bytes both ways, with flow control. Source: RFC 9113, section 5. */
import type { Http2Connection } from "./connection.ts";
import { flags, frameTypes } from "./frames.ts";
import { encodeHeaders, type HeaderList } from "./hpack.ts";

/** What happens on a stream; each is told at most in this order, `closed` always last and once. */
export interface StreamEvents {
  /** The answer's headers, or trailers. */
  headers(headers: HeaderFields): void;
  data(chunk: Buffer): void;
  /** The other side sends no more. */
  end(): void;
  /** `code`: of RST_STREAM, when the other side gave up; undefined when the connection went or both sides are done. */
  closed(code: number | undefined): void;
}

export class Http2Stream {
  readonly id: number;
  private readonly connection: Http2Connection;
  private events: StreamEvents | undefined;
  private remoteEnded = false;
  private localEnded = false;
  private isClosed = false;
  private resetCode: number | undefined;
  /** Bytes that may be sent. */
  sendWindow: number;
  /** Bytes that came and that the reader has not taken yet. */
  private unread = 0;
  private wake: (() => void)[] = [];

  constructor(connection: Http2Connection, id: number, sendWindow: number) {
    this.connection = connection;
    this.id = id;
    this.sendWindow = sendWindow;
  }

  /** What comes before the listener is there would be lost: call at once. */
  listen(events: StreamEvents): void {
    this.events = events;
  }

  get closed(): boolean {
    return this.isClosed;
  }

  sendHeaders(headers: HeaderList, options: { end: boolean } = { end: false }): void {
    if (this.isClosed || this.localEnded) return;
    this.connection.sendHeaders(this.id, encodeHeaders(headers), options.end);
    if (options.end) this.finishLocal();
  }

  /** Resolves when the bytes are on their way; rejects when the stream is closed. */
  async write(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      if (this.isClosed || this.localEnded) throw new Error("the stream is closed");
      const size = Math.min(bytes.length - at, this.sendWindow, this.connection.sendable);
      if (size <= 0) {
        await this.change();
        continue;
      }
      this.sendWindow -= size;
      this.connection.sendData(this.id, bytes.subarray(at, at + size));
      at += size;
    }
    await this.connection.drained();
  }

  /** Sends no more. */
  end(): void {
    if (this.isClosed || this.localEnded) return;
    this.connection.send(frameTypes.data, flags.endStream, this.id, Buffer.alloc(0));
    this.finishLocal();
  }

  /** Gives the stream up. */
  reset(code: number): void {
    if (this.isClosed) return;
    this.connection.send(frameTypes.rstStream, 0, this.id, uint32(code));
    this.close(undefined);
  }

  /** The reader has taken these bytes: as many may come. */
  consumed(size: number): void {
    this.unread -= size;
    if (size > 0 && !this.isClosed && !this.remoteEnded) {
      this.connection.send(frameTypes.windowUpdate, 0, this.id, uint32(size));
    }
  }

  // What the connection tells.

  receiveHeaders(headers: HeaderList, end: boolean): void {
    this.events?.headers(new HeaderFields(headers));
    if (end) this.finishRemote();
  }

  receiveData(chunk: Buffer, end: boolean): void {
    this.unread += chunk.length;
    if (chunk.length > 0) this.events?.data(chunk);
    if (end) this.finishRemote();
  }

  receiveReset(code: number): void {
    this.close(code);
  }

  /** Room to send, or the end. */
  notify(): void {
    for (const resolve of this.wake.splice(0)) resolve();
  }

  /** The connection is gone. */
  close(code: number | undefined): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.resetCode = code;
    this.connection.forget(this.id);
    this.notify();
    this.events?.closed(this.resetCode);
  }

  private finishLocal(): void {
    this.localEnded = true;
    if (this.remoteEnded) this.close(undefined);
  }

  private finishRemote(): void {
    this.remoteEnded = true;
    this.events?.end();
    if (this.localEnded) this.close(undefined);
  }

  private change(): Promise<void> {
    return new Promise((resolve) => this.wake.push(resolve));
  }
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Names in lower case; values of one name are joined. */
export class HeaderFields extends Map<string, string> {
  private readonly list: HeaderList;

  constructor(list: HeaderList) {
    super();
    this.list = list;
    for (const [name, value] of list) {
      const before = this.get(name);
      this.set(name, before === undefined ? value : `${before},${value}`);
    }
  }

  /** The values of one name, each for itself. */
  all(wanted: string): string[] {
    return this.list.flatMap(([name, value]) => (name === wanted ? [value] : []));
  }
}
