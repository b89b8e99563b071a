/** A request's body, decoded from its framing as it is read. */
import type { CarriedBytes } from "../../base/streams.ts";
import type { ByteReader } from "./byte-reader.ts";
import type { Relay } from "./relay.ts";
import { type BodyFraming, HttpProtocolError } from "./request-head.ts";

/** A chunk's size line, with extensions. */
const maxChunkLine = 4096;

export class RequestBody implements CarriedBytes {
  /** True once every byte of the body has been taken from the connection. */
  complete: boolean;
  /** True once somebody began to read. */
  started = false;
  private readonly reader: ByteReader;
  private readonly framing: BodyFraming;
  /** True once another process reads the connection: it can carry no further request. */
  carried = false;
  private readonly onStart: () => void;
  private readonly relay: Relay | undefined;
  private left: number;

  /** `onStart` runs before the first byte is waited for. */
  constructor(reader: ByteReader, framing: BodyFraming, onStart: () => void, relay?: Relay) {
    this.reader = reader;
    this.framing = framing;
    this.relay = relay;
    this.onStart = onStart;
    this.complete = framing.kind === "none";
    this.left = framing.kind === "length" ? framing.length : 0;
  }

  get length(): number | undefined {
    if (this.framing.kind === "chunked") return undefined;
    return this.framing.kind === "length" ? this.framing.length : 0;
  }

  /** Goes on where an earlier reader stopped. Throws HttpProtocolError for broken framing and a client that went away. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    if (this.complete) return;
    if (!this.started) {
      this.started = true;
      this.onStart();
    }
    if (this.framing.kind === "length") yield* this.readLength();
    else yield* this.readChunks();
  }

  carryTo(pipe: number, signal: AbortSignal): Promise<void> | undefined {
    if (!this.relay || !this.started || this.complete || !this.reader.canHandOver) return undefined;
    this.carried = true;
    return this.carry(this.relay, pipe, signal);
  }

  private async carry(relay: Relay, pipe: number, signal: AbortSignal): Promise<void> {
    const taken = await this.reader.handOver();
    if (!taken) throw new HttpProtocolError(400, "unexpected EOF");
    const framing = this.framing.kind === "chunked" ? "chunked" : "length";
    const outcome = await relay.in(taken, pipe, { framing, left: this.left }, signal);
    if (outcome === "malformed") throw malformed();
    if (outcome === "gone") throw new HttpProtocolError(400, "unexpected EOF");
    this.complete = outcome === "carried";
  }

  /** Reads and forgets what is left, so that the next request can be read. False when that is more than `limit` bytes. */
  async discard(limit: number): Promise<boolean> {
    if (!this.complete && this.left > limit) return false;
    let size = 0;
    for await (const chunk of this) {
      size += chunk.length;
      if (size > limit) return this.complete;
    }
    return true;
  }

  private async *readLength(): AsyncGenerator<Uint8Array> {
    while (this.left > 0) yield await this.takeLeft();
    this.complete = true;
  }

  private async *readChunks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.left === 0) {
        this.left = await this.chunkSize();
        if (this.left === 0) {
          while ((await this.line()) !== "");
          this.complete = true;
          return;
        }
      }
      // The delimiter is taken before the chunk is given out, so that a reader who stops leaves whole chunks behind.
      const chunk = await this.takeLeft();
      if (this.left === 0 && (await this.line()) !== "") throw malformed();
      yield chunk;
    }
  }

  private async takeLeft(): Promise<Uint8Array> {
    const chunk = await this.reader.take(this.left);
    if (!chunk) throw new HttpProtocolError(400, "unexpected EOF");
    this.left -= chunk.length;
    return chunk;
  }

  private async chunkSize(): Promise<number> {
    const match = /^([0-9a-fA-F]{1,12})(?:[ \t]*;.*)?$/.exec(await this.line());
    if (!match) throw malformed();
    return Number.parseInt(match[1] as string, 16);
  }

  private async line(): Promise<string> {
    let line: Buffer | undefined;
    try {
      line = await this.reader.takeUntil("\r\n", maxChunkLine);
    } catch (cause) {
      throw Object.assign(malformed(), { cause });
    }
    if (!line) throw new HttpProtocolError(400, "unexpected EOF");
    return line.toString("latin1");
  }
}

function malformed(): HttpProtocolError {
  return new HttpProtocolError(400, "malformed chunked encoding");
}
