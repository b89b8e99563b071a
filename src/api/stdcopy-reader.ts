/**
 * Reading Docker's stdcopy framing (`stdcopy.ts` writes it): frames are sliced out of the received chunks, never copied byte by byte, and
 * neighbouring pieces of one stream go out together.
 */
import { frameHeaderSize } from "./stdcopy.ts";

/** Stream 3 of the framing: the daemon's own error about the stream. */
const systemError = 3;

export interface Piece {
  readonly stream: 1 | 2;
  /** Consecutive payloads: views into the chunk where they are large, joined where they are small. */
  readonly parts: Uint8Array[];
}

/** Payloads smaller than this on average are cheaper to join than to hand on one by one. */
const worthJoining = 4096;
/** Linux takes no more buffers in one writev. */
const maxParts = 1024;

/** Turns chunks of a framed stream into pieces of stdout (1) and stderr (2). */
export class StdcopyReader {
  private readonly header = new Uint8Array(frameHeaderSize);
  private headerFill = 0;
  private stream = 0;
  /** Payload bytes of the current frame that are still to come. */
  private remaining = 0;
  private errorText = "";

  /**
   * The pieces in one chunk, in order. Throws on an unknown stream number, and on the daemon's error frame.
   */
  read(chunk: Uint8Array): Piece[] {
    const pieces: Piece[] = [];
    let run: Uint8Array[] = [];
    let runStream: 1 | 2 = 1;
    let runBytes = 0;
    const flush = () => {
      const join = run.length > 1 && (runBytes < worthJoining * run.length || run.length > maxParts);
      if (run.length > 0) pieces.push({ stream: runStream, parts: join ? [Buffer.concat(run)] : run });
      run = [];
      runBytes = 0;
    };
    let at = 0;
    while (at < chunk.length) {
      if (this.remaining === 0) {
        at = this.readHeader(chunk, at);
        continue;
      }
      const end = Math.min(chunk.length, at + this.remaining);
      const data = chunk.subarray(at, end);
      this.remaining -= data.length;
      at = end;
      if (this.stream === systemError) {
        this.readError(data);
        continue;
      }
      const stream = this.stream === 2 ? 2 : 1;
      if (stream !== runStream) flush();
      runStream = stream;
      run.push(data);
      runBytes += data.length;
    }
    flush();
    return pieces;
  }

  private readHeader(chunk: Uint8Array, start: number): number {
    const taken = Math.min(frameHeaderSize - this.headerFill, chunk.length - start);
    this.header.set(chunk.subarray(start, start + taken), this.headerFill);
    this.headerFill += taken;
    if (this.headerFill < frameHeaderSize) return start + taken;
    this.headerFill = 0;
    const { header } = this;
    const [stream = 0, , , , a = 0, b = 0, c = 0, d = 0] = header;
    if (stream > systemError) throw new Error(`Unrecognized input header: ${stream}`);
    this.stream = stream;
    this.remaining = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
    return start + taken;
  }

  private readError(data: Uint8Array): void {
    this.errorText += new TextDecoder().decode(data);
    if (this.remaining === 0) throw new Error(`error from daemon in stream: ${this.errorText}`);
  }
}
