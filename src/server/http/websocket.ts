/** The server's end of a WebSocket (RFC 6455) as a byte stream: messages are data, their borders mean nothing. */
import { createHash } from "node:crypto";
import { Duplex } from "node:stream";
import { StdcopyReader } from "../../api/stdcopy-reader.ts";

const handshakeGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** Larger messages from a client are refused. */
const maxFrame = 1 << 20;

const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** `Sec-WebSocket-Accept` for the client's key. */
export function acceptKey(key: string): string {
  return createHash("sha1")
    .update(key + handshakeGuid)
    .digest("base64");
}

export interface WebSocketOptions {
  /** Send text messages in place of binary ones. */
  text: boolean;
  /** What is written is framed as stdcopy; only its payload is sent. */
  unframe: boolean;
}

/** Reads end when the client closes; what is written goes out as messages. Answers pings. */
export class WebSocketStream extends Duplex {
  private readonly socket: Duplex;
  private readonly sendOpcode: number;
  private readonly stdcopy: StdcopyReader | undefined;
  private received: Buffer = Buffer.alloc(0);
  private closeSent = false;

  constructor(socket: Duplex, options: WebSocketOptions) {
    super({ allowHalfOpen: true });
    this.socket = socket;
    this.sendOpcode = options.text ? opcode.text : opcode.binary;
    this.stdcopy = options.unframe ? new StdcopyReader() : undefined;
    socket.on("data", (chunk: Buffer) => this.receive(chunk));
    socket.on("end", () => this.push(null));
    socket.on("close", () => this.destroy());
    socket.on("error", () => this.destroy());
    socket.resume();
  }

  /** Sends the close message, once. */
  async finish(): Promise<void> {
    if (this.closeSent || this.socket.destroyed) return;
    this.closeSent = true;
    // 1000: normal closure.
    this.socket.write(encode(opcode.close, Buffer.from([0x03, 0xe8])));
  }

  override _read(): void {
    this.socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const payloads = this.stdcopy ? this.stdcopy.read(chunk).flatMap((piece) => piece.parts) : [chunk];
    let flowing = true;
    for (const payload of payloads) flowing = this.socket.write(encode(this.sendOpcode, payload));
    if (flowing || this.socket.destroyed) done();
    else this.socket.once("drain", () => done());
  }

  override _final(done: (error?: Error | null) => void): void {
    this.finish().then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.socket.destroy();
    done(error);
  }

  private receive(chunk: Buffer): void {
    this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk]);
    for (;;) {
      const frame = decode(this.received);
      if (frame === undefined) return;
      if (frame === "invalid") {
        this.destroy();
        return;
      }
      this.received = this.received.subarray(frame.size);
      this.handle(frame.opcode, frame.payload);
    }
  }

  private handle(code: number, payload: Buffer): void {
    if (code <= opcode.binary) {
      if (payload.length > 0 && !this.push(payload)) this.socket.pause();
    } else if (code === opcode.ping) this.socket.write(encode(opcode.pong, payload));
    else if (code === opcode.close) {
      this.push(null);
      this.finish();
    }
  }
}

function encode(code: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 65536 ? 2 : 8;
  const frame = Buffer.allocUnsafe(2 + extended + length);
  frame[0] = 0x80 | code;
  frame[1] = extended === 0 ? length : extended === 2 ? 126 : 127;
  if (extended === 2) frame.writeUInt16BE(length, 2);
  if (extended === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  frame.set(payload, 2 + extended);
  return frame;
}

/** The first whole frame, unmasked. Frames of clients must be masked (RFC 6455, 5.1). */
function decode(bytes: Buffer): { opcode: number; payload: Buffer; size: number } | "invalid" | undefined {
  if (bytes.length < 2) return undefined;
  const short = (bytes[1] as number) & 0x7f;
  if (((bytes[1] as number) & 0x80) === 0 || ((bytes[0] as number) & 0x70) !== 0) return "invalid";
  const extended = short < 126 ? 0 : short === 126 ? 2 : 8;
  const start = 2 + extended + 4;
  if (bytes.length < start) return undefined;
  const length = extended === 0 ? short : extended === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (length > maxFrame) return "invalid";
  if (bytes.length < start + length) return undefined;
  const mask = bytes.subarray(start - 4, start);
  const payload = Buffer.from(bytes.subarray(start, start + length));
  for (let i = 0; i < payload.length; i++) payload[i] = (payload[i] as number) ^ (mask[i & 3] as number);
  return { opcode: (bytes[0] as number) & 0x0f, payload, size: start + length };
}
