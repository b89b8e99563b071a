/**
 * The messages of a gRPC stream: a byte that says whether it is compressed (never: we do not offer it), four of length, the message.
 * Source: grpc/doc/PROTOCOL-HTTP2.md, "Length-Prefixed-Message".
 */
import { codes, GrpcError } from "./status.ts";

const prefixLength = 5;

/** Far above what BuildKit's peers send: they cut files into pieces of 32 KiB. */
const maxMessage = 64 * 1024 * 1024;

export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(prefixLength + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, prefixLength);
  return framed;
}

/** Collects what comes in and hands out whole messages. */
export class MessageSplitter {
  private parts: Buffer[] = [];
  private size = 0;

  /** Messages that `chunk` completes. Throws for compressed and oversized ones. */
  add(chunk: Buffer): Buffer[] {
    this.parts.push(chunk);
    this.size += chunk.length;
    const found: Buffer[] = [];
    let whole = this.needed();
    while (whole !== undefined && this.size >= whole) {
      const all = this.parts.length === 1 ? (this.parts[0] as Buffer) : Buffer.concat(this.parts);
      found.push(all.subarray(prefixLength, whole));
      this.parts = all.length > whole ? [all.subarray(whole)] : [];
      this.size = all.length - whole;
      whole = this.needed();
    }
    return found;
  }

  /** Bytes of the message that comes next, with its prefix; undefined: not known yet. */
  private needed(): number | undefined {
    if (this.size < prefixLength) return undefined;
    if ((this.parts[0] as Buffer).length < prefixLength) this.parts = [Buffer.concat(this.parts)];
    const head = this.parts[0] as Buffer;
    if (head[0] !== 0) throw new GrpcError(codes.unimplemented, "compressed messages are not supported");
    const length = head.readUInt32BE(1);
    if (length > maxMessage) throw new GrpcError(codes.invalidArgument, `message of ${length} bytes is too large`);
    return prefixLength + length;
  }
}
