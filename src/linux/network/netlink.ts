/**
 * Netlink sockets: requests with their acknowledgement, dumps, and batches, in the kernel's own format (netlink(7)).
 * Synchronous: a request may wait for the kernel's locks, so the daemon uses these in its network threads only.
 */
import { address, check, libc, SyscallError } from "../libc.ts";

export const netlinkRoute = 0;
export const netlinkNetfilter = 12;

export const messageFlags = {
  request: 0x1,
  ack: 0x4,
  dump: 0x300,
  /** On requests that make something: fail when it exists, or make it when it does not. */
  exclusive: 0x200,
  create: 0x400,
  append: 0x800,
} as const;

const [errorMessage, doneMessage] = [2, 3];
const headerSize = 16;
const solNetlink = 270;
const socketOptions = { capAck: 10, extendedAck: 11, strictCheck: 12 };
const [afNetlink, sockRawCloexec] = [16, 3 | 0x80000];
const enobufs = 105;

export interface NetlinkRequest {
  type: number;
  /** `request` is always added. */
  flags: number;
  body: Uint8Array;
}

export interface NetlinkMessage {
  type: number;
  body: Buffer;
}

export class NetlinkSocket implements Disposable {
  private readonly fd: number;
  private readonly buffer = Buffer.alloc(128 * 1024);
  private sequence = 1;

  /** The socket belongs to the network namespace that the calling thread is in now, and stays in it. */
  constructor(protocol: number) {
    this.fd = check(libc.socket(afNetlink, sockRawCloexec, protocol), "socket", "netlink");
    // Errors then carry the kernel's own explanation and no copy of the request. Old kernels lack the options: no matter.
    for (const option of [socketOptions.capAck, socketOptions.extendedAck]) this.enable(option);
    const any = Buffer.alloc(12);
    any.writeUInt16LE(afNetlink, 0);
    check(libc.bind(this.fd, address(any), any.length), "bind", "netlink");
  }

  /** Sends one request and waits until the kernel has done it. Throws SyscallError with the kernel's errno and words. */
  request(request: NetlinkRequest, what: string): void {
    this.batch([request], what);
  }

  /** Sends several requests at once; each is carried out on its own, in order. Throws the first error, after all were tried. */
  batch(requests: NetlinkRequest[], what: string): void {
    const first = this.send(requests.map((request) => ({ ...request, flags: request.flags | messageFlags.ack })));
    let failure: SyscallError | undefined;
    for (let missing = requests.length; missing > 0; ) {
      for (const { type, sequence, body } of this.receive()) {
        if (type !== errorMessage || sequence < first) continue;
        missing--;
        failure ??= toError(body, what);
      }
    }
    if (failure) throw failure;
  }

  /**
   * Sends one nfnetlink transaction (begin … end, all or nothing) and waits for the answers to the messages inside it.
   * When one fails the kernel may answer for that one only, so the first error ends the wait.
   */
  transact(begin: NetlinkRequest, requests: NetlinkRequest[], end: NetlinkRequest, what: string): void {
    const acked = requests.map((request) => ({ ...request, flags: request.flags | messageFlags.ack }));
    const first = this.send([begin, ...acked, end]);
    for (let missing = requests.length; missing > 0; ) {
      for (const { type, sequence, body } of this.receive()) {
        if (type !== errorMessage || sequence < first) continue;
        const failure = toError(body, what);
        if (failure) throw failure;
        missing--;
      }
    }
  }

  /** All messages that answer a dump, or the one answer to a plain get. */
  query(request: NetlinkRequest, what: string): NetlinkMessage[] {
    const isDump = (request.flags & messageFlags.dump) === messageFlags.dump;
    const first = this.send([request]);
    const found: NetlinkMessage[] = [];
    for (;;) {
      for (const { type, sequence, body } of this.receive()) {
        if (sequence < first) continue;
        if (type === doneMessage) return found;
        if (type === errorMessage) {
          const failure = toError(body, what);
          if (failure) throw failure;
          return found;
        }
        found.push({ type, body });
        if (!isDump) return found;
      }
    }
  }

  [Symbol.dispose](): void {
    libc.close(this.fd);
  }

  private enable(option: number): void {
    const one = Buffer.from([1, 0, 0, 0]);
    libc.setsockopt(this.fd, solNetlink, option, address(one), one.length);
  }

  /** Returns the sequence number of the first message sent. Answers to earlier, abandoned requests have lower ones. */
  private send(requests: NetlinkRequest[]): number {
    const first = this.sequence;
    const bytes = Buffer.concat(requests.map((request) => this.encode(request)));
    check(libc.send(this.fd, address(bytes), bytes.length, 0), "send", "netlink");
    return first;
  }

  private encode({ type, flags, body }: NetlinkRequest): Buffer {
    const message = Buffer.alloc(headerSize + align(body.length));
    message.writeUInt32LE(headerSize + body.length, 0);
    message.writeUInt16LE(type, 4);
    message.writeUInt16LE(flags | messageFlags.request, 6);
    message.writeUInt32LE(this.sequence++, 8);
    message.set(body, headerSize);
    return message;
  }

  private *receive(): Generator<NetlinkMessage & { sequence: number }> {
    const size = Number(libc.recv(this.fd, address(this.buffer), this.buffer.length, 0));
    if (size < 0) check(-1, "recv", "netlink");
    if (size === 0) throw new SyscallError("recv", enobufs, "netlink");
    const data = Buffer.from(this.buffer.subarray(0, size));
    for (let offset = 0; offset + headerSize <= data.length; ) {
      const length = data.readUInt32LE(offset);
      if (length < headerSize) return;
      yield {
        type: data.readUInt16LE(offset + 4),
        sequence: data.readUInt32LE(offset + 8),
        body: data.subarray(offset + headerSize, offset + length),
      };
      offset += align(length);
    }
  }
}

/** undefined for an acknowledgement. */
function toError(body: Buffer, what: string): SyscallError | undefined {
  const code = body.readInt32LE(0);
  if (code === 0) return undefined;
  // Extended acknowledgement: after errno and the request's header (cap-ack) come attributes, 1 being the message.
  const words =
    body.length > 20 ? parseAttributes(body.subarray(20)).get(1)?.toString("latin1").replace(/\0.*$/, "") : "";
  return new SyscallError("netlink", -code, words ? `${what} (${words})` : what);
}

/** The kernel pads messages and attributes to four bytes. */
export function align(length: number): number {
  return (length + 3) & ~3;
}

/** One attribute with raw bytes. */
export function attribute(type: number, value: Uint8Array): Buffer {
  const buffer = Buffer.alloc(align(4 + value.length));
  buffer.writeUInt16LE(4 + value.length, 0);
  buffer.writeUInt16LE(type, 2);
  buffer.set(value, 4);
  return buffer;
}

export function textAttribute(type: number, text: string): Buffer {
  return attribute(type, Buffer.from(`${text}\0`));
}

export function u8Attribute(type: number, value: number): Buffer {
  return attribute(type, Buffer.from([value]));
}

/** Host byte order, as rtnetlink has it. */
export function u16Attribute(type: number, value: number): Buffer {
  return attribute(type, Buffer.from([value & 255, value >> 8]));
}

/** Host byte order. */
export function u32Attribute(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return attribute(type, bytes);
}

export function nestedAttribute(type: number, ...children: Uint8Array[]): Buffer {
  return attribute(type | 0x8000, Buffer.concat(children));
}

/** Attributes by type. Of a repeated one the last is kept. */
export function parseAttributes(data: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let offset = 0; offset + 4 <= data.length; ) {
    const length = data.readUInt16LE(offset);
    if (length < 4) break;
    found.set(data.readUInt16LE(offset + 2) & 0x3fff, data.subarray(offset + 4, offset + length));
    offset += align(length);
  }
  return found;
}
