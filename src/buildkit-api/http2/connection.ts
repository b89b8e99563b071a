/**
 * HTTP/2 over any connection, as server or as client. Our own, because Bun 1.4.5's node:http2 loses frames and breaks connections when
 * several streams write at once, and because BuildKit's sessions reverse the roles. Source: RFC 9113.
 */
import type { Duplex } from "node:stream";
import { defaults, errorCodes, flags, frameHeaderSize, frameTypes, maxWindow, preface, settings } from "./frames.ts";
import { encodeHeaders, HeaderDecoder, type HeaderList } from "./hpack.ts";
import { HeaderFields, Http2Stream, uint32 } from "./stream.ts";

/** How much of a stream may come before it is read. */
const streamWindow = 1 << 20;

/** Streams that the other side may have open at once. */
const maxStreams = 1000;

/** Of a block of headers with its continuations, as it comes. */
const maxHeaderBlock = 1 << 20;

class ProtocolError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** Told of each stream that the other side opens. */
export type StreamHandler = (stream: Http2Stream, headers: HeaderFields) => void;

export class Http2Connection {
  private readonly socket: Duplex;
  private readonly onStream: StreamHandler | undefined;
  private readonly decoder = new HeaderDecoder();
  private readonly streams = new Map<number, Http2Stream>();
  private buffered: Buffer[] = [];
  private size = 0;
  private expectsPreface: boolean;
  private headers: { id: number; end: boolean; parts: Buffer[]; size: number } | undefined;
  private nextId = 1;
  private lastSeen = 0;
  private ended = false;
  private sendWindow: number = defaults.windowSize;
  private peerWindow: number = defaults.windowSize;
  private peerFrame: number = defaults.maxFrameSize;
  private draining: Promise<void> | undefined;

  /** With a handler it is the server's side. */
  constructor(socket: Duplex, onStream?: StreamHandler) {
    this.socket = socket;
    this.onStream = onStream;
    this.expectsPreface = onStream !== undefined;
    if (!onStream) socket.write(preface);
    const own: [number, number][] = [
      [settings.initialWindowSize, streamWindow],
      ...(onStream ? [] : [[settings.enablePush, 0] as [number, number]]),
    ];
    this.send(frameTypes.settings, 0, 0, Buffer.concat(own.map(([name, value]) => setting(name, value))));
    // Streams have windows of their own: the connection's need not hold anything up.
    this.send(frameTypes.windowUpdate, 0, 0, uint32(maxWindow - defaults.windowSize));
    socket.on("data", (chunk: Buffer) => this.receive(chunk));
    socket.on("end", () => this.destroy());
    socket.on("error", () => this.destroy());
    socket.on("close", () => this.destroy());
  }

  get closed(): boolean {
    return this.ended;
  }

  /** Opens a stream, with a request. Throws when the connection has ended. */
  request(headers: HeaderList): Http2Stream {
    if (this.ended) throw new Error("the connection has ended");
    const id = this.nextId;
    this.nextId += 2;
    const stream = new Http2Stream(this, id, this.peerWindow);
    this.streams.set(id, stream);
    this.sendHeaders(id, encodeHeaders(headers), false);
    return stream;
  }

  /** Ends all streams and the connection. */
  destroy(): void {
    if (this.ended) return;
    this.ended = true;
    for (const stream of [...this.streams.values()]) stream.close(undefined);
    this.socket.destroy();
  }

  // For streams.

  /** Bytes of data that one frame may have now. */
  get sendable(): number {
    return Math.min(this.sendWindow, this.peerFrame);
  }

  sendData(id: number, bytes: Buffer): void {
    this.sendWindow -= bytes.length;
    this.send(frameTypes.data, 0, id, bytes);
  }

  /** In one go: nothing may come between a block and its continuations. */
  sendHeaders(id: number, block: Buffer, end: boolean): void {
    const endStream = end ? flags.endStream : 0;
    const isWhole = block.length <= this.peerFrame;
    const first = block.subarray(0, this.peerFrame);
    this.send(frameTypes.headers, (isWhole ? flags.endHeaders : 0) | endStream, id, first);
    for (let at = this.peerFrame; at < block.length; at += this.peerFrame) {
      const isLast = at + this.peerFrame >= block.length;
      const part = block.subarray(at, at + this.peerFrame);
      this.send(frameTypes.continuation, isLast ? flags.endHeaders : 0, id, part);
    }
  }

  send(type: number, frameFlags: number, id: number, payload: Buffer): void {
    if (this.socket.destroyed) return;
    const header = Buffer.alloc(frameHeaderSize);
    header.writeUIntBE(payload.length, 0, 3);
    header[3] = type;
    header[4] = frameFlags;
    header.writeUInt32BE(id, 5);
    this.socket.write(payload.length === 0 ? header : Buffer.concat([header, payload]));
  }

  /** Resolves when the connection takes more. */
  async drained(): Promise<void> {
    if (!this.socket.writableNeedDrain) return;
    this.draining ??= new Promise<void>((resolve) => {
      const done = () => {
        this.socket.off("drain", done);
        this.socket.off("close", done);
        this.draining = undefined;
        resolve();
      };
      this.socket.on("drain", done);
      this.socket.on("close", done);
    });
    await this.draining;
  }

  forget(id: number): void {
    this.streams.delete(id);
  }

  private receive(chunk: Buffer): void {
    this.buffered.push(chunk);
    this.size += chunk.length;
    try {
      while (!this.ended && this.takeFrame());
    } catch (error) {
      const code = error instanceof ProtocolError ? error.code : errorCodes.compressionError;
      this.send(frameTypes.goAway, 0, 0, Buffer.concat([uint32(this.lastSeen), uint32(code)]));
      this.destroy();
    }
  }

  /** False: more bytes are needed. */
  private takeFrame(): boolean {
    if (this.expectsPreface) {
      const found = this.take(preface.length);
      if (!found) return false;
      if (!found.equals(preface)) throw new ProtocolError(errorCodes.protocolError, "no HTTP/2 preface");
      this.expectsPreface = false;
    }
    if (this.size < frameHeaderSize) return false;
    const head = this.peek(frameHeaderSize);
    const length = head.readUIntBE(0, 3);
    if (length > defaults.maxFrameSize) throw new ProtocolError(errorCodes.frameSizeError, "the frame is too large");
    const whole = this.take(frameHeaderSize + length);
    if (!whole) return false;
    const [type, frameFlags] = [whole[3] as number, whole[4] as number];
    this.handle(type, frameFlags, whole.readUInt32BE(5) & 0x7fffffff, whole.subarray(frameHeaderSize));
    return true;
  }

  private handle(type: number, frameFlags: number, id: number, payload: Buffer): void {
    if (this.headers && type !== frameTypes.continuation) {
      throw new ProtocolError(errorCodes.protocolError, "a block of headers is not finished");
    }
    switch (type) {
      case frameTypes.data:
        this.handleData(frameFlags, id, payload);
        break;
      case frameTypes.headers:
        this.beginHeaders(frameFlags, id, payload);
        break;
      case frameTypes.continuation:
        this.continueHeaders(frameFlags, id, payload);
        break;
      case frameTypes.rstStream:
        this.streams.get(id)?.receiveReset(number(payload, 0));
        break;
      case frameTypes.settings:
        this.handleSettings(frameFlags, payload);
        break;
      case frameTypes.ping:
        if (!(frameFlags & flags.ack)) this.send(frameTypes.ping, flags.ack, 0, payload);
        break;
      case frameTypes.windowUpdate:
        this.handleWindow(id, number(payload, 0) & 0x7fffffff);
        break;
      case frameTypes.pushPromise:
        throw new ProtocolError(errorCodes.protocolError, "pushed streams were refused");
      default:
        // GOAWAY: the streams that are open go on. PRIORITY and unknown frames mean nothing.
        break;
    }
  }

  private handleData(frameFlags: number, id: number, payload: Buffer): void {
    const data = unpadded(frameFlags, payload);
    const stream = this.streams.get(id);
    if (payload.length > 0) this.send(frameTypes.windowUpdate, 0, 0, uint32(payload.length));
    if (!stream) return;
    stream.receiveData(data, (frameFlags & flags.endStream) !== 0);
    if (payload.length > data.length) stream.consumed(payload.length - data.length);
  }

  private beginHeaders(frameFlags: number, id: number, payload: Buffer): void {
    const block = unpadded(frameFlags, payload).subarray(frameFlags & flags.priority ? 5 : 0);
    this.headers = { id, end: (frameFlags & flags.endStream) !== 0, parts: [], size: 0 };
    this.addHeaders(frameFlags, block);
  }

  private continueHeaders(frameFlags: number, id: number, payload: Buffer): void {
    if (this.headers?.id !== id) throw new ProtocolError(errorCodes.protocolError, "a continuation of nothing");
    this.addHeaders(frameFlags, payload);
  }

  private addHeaders(frameFlags: number, part: Buffer): void {
    const headers = this.headers as NonNullable<typeof this.headers>;
    headers.parts.push(part);
    headers.size += part.length;
    if (headers.size > maxHeaderBlock) throw new ProtocolError(errorCodes.protocolError, "the headers are too large");
    if (!(frameFlags & flags.endHeaders)) return;
    this.headers = undefined;
    // Also those of streams that are gone: the table is the connection's.
    this.finishHeaders(headers.id, this.decoder.decode(Buffer.concat(headers.parts)), headers.end);
  }

  private finishHeaders(id: number, list: HeaderList, end: boolean): void {
    const known = this.streams.get(id);
    if (known) known.receiveHeaders(list, end);
    if (known || !this.onStream || id <= this.lastSeen) return;
    if (id % 2 === 0) throw new ProtocolError(errorCodes.protocolError, "a client's streams have odd numbers");
    this.lastSeen = id;
    if (this.streams.size >= maxStreams) {
      this.send(frameTypes.rstStream, 0, id, uint32(errorCodes.refusedStream));
      return;
    }
    const stream = new Http2Stream(this, id, this.peerWindow);
    this.streams.set(id, stream);
    this.onStream(stream, new HeaderFields(list));
    if (end) stream.receiveData(Buffer.alloc(0), true);
  }

  private handleSettings(frameFlags: number, payload: Buffer): void {
    if (frameFlags & flags.ack) return;
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      const value = payload.readUInt32BE(at + 2);
      switch (payload.readUInt16BE(at)) {
        case settings.initialWindowSize:
          if (value > maxWindow) throw new ProtocolError(errorCodes.flowControlError, "the window is too large");
          for (const stream of this.streams.values()) stream.sendWindow += value - this.peerWindow;
          this.peerWindow = value;
          break;
        case settings.maxFrameSize:
          this.peerFrame = Math.max(value, defaults.maxFrameSize);
          break;
      }
    }
    this.send(frameTypes.settings, flags.ack, 0, Buffer.alloc(0));
    this.notifyAll();
  }

  private handleWindow(id: number, increment: number): void {
    if (id === 0) {
      this.sendWindow += increment;
      if (this.sendWindow > maxWindow) throw new ProtocolError(errorCodes.flowControlError, "the window is too large");
      this.notifyAll();
      return;
    }
    const stream = this.streams.get(id);
    if (!stream) return;
    stream.sendWindow += increment;
    stream.notify();
  }

  private notifyAll(): void {
    for (const stream of this.streams.values()) stream.notify();
  }

  private peek(count: number): Buffer {
    const first = this.buffered[0] as Buffer;
    if (first.length >= count) return first;
    this.buffered = [Buffer.concat(this.buffered)];
    return this.buffered[0] as Buffer;
  }

  private take(count: number): Buffer | undefined {
    if (this.size < count) return undefined;
    const all = this.peek(count);
    this.size -= count;
    if (all.length === count) this.buffered.shift();
    else this.buffered[0] = all.subarray(count);
    return all.subarray(0, count);
  }
}

function number(payload: Buffer, at: number): number {
  if (payload.length < at + 4) throw new ProtocolError(errorCodes.frameSizeError, "the frame is too small");
  return payload.readUInt32BE(at);
}

function unpadded(frameFlags: number, payload: Buffer): Buffer {
  if (!(frameFlags & flags.padded)) return payload;
  const padding = payload[0] ?? 0;
  if (padding >= payload.length) throw new ProtocolError(errorCodes.protocolError, "the padding is too long");
  return payload.subarray(1, payload.length - padding);
}

function setting(name: number, value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt16BE(name);
  bytes.writeUInt32BE(value, 2);
  return bytes;
}
