/** Giving an open socket to another process, over a unix socket (SCM_RIGHTS). */
import { FFIType, ptr } from "bun:ffi";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { check, lazySymbols } from "./libc.ts";

const calls = lazySymbols({
  sendmsg: { args: [FFIType.i32, FFIType.pointer, FFIType.i32], returns: FFIType.i64 },
});

const [solSocket, scmRights, noSignal, closed] = [1, 1, 0x4000, -1];

interface Handle {
  readonly fd: number;
  pause(): void;
}

/** Bun's own part of a plain socket: its bytes are the stream's. Undefined for TLS, and for what is no socket or is closed. */
function handleOf(stream: Duplex): Handle | undefined {
  if (!(stream instanceof Socket) || stream instanceof TLSSocket || stream.destroyed) return undefined;
  const handle: unknown = Reflect.get(stream, "_handle");
  if (typeof handle !== "object" || handle === null || !("fd" in handle)) return undefined;
  return typeof handle.fd === "number" && handle.fd >= 0 ? (handle as Handle) : undefined;
}

/** The descriptor of a plain socket for another process to write to, while nothing is left to be written here. Undefined for other streams. */
export function writableDescriptor(stream: Duplex): number | undefined {
  return stream.writableLength > 0 ? undefined : handleOf(stream)?.fd;
}

/** A socket that this process reads no longer, whatever is done to its stream. */
export interface TakenSocket {
  descriptor: number;
  /** What had been read, and was not taken from the stream. */
  ahead: Buffer;
}

/** Stops the reading of a plain, paused socket for good, so that another process can read it. Undefined for other streams. */
export async function takeSocket(stream: Duplex): Promise<TakenSocket | undefined> {
  if (writableDescriptor(stream) === undefined) return undefined;
  // Bun may be in the middle of reading the socket several times in a row: what that brings is taken with the rest.
  await new Promise((resolve) => setImmediate(resolve));
  const handle = handleOf(stream);
  if (!handle || stream.writableLength > 0) return undefined;
  // A paused stream goes on reading until its buffer is full, and starts again when some is taken.
  stream._read = () => {};
  const ahead: Buffer[] = [];
  for (let part = stream.read(); part !== null; part = stream.read()) ahead.push(part as Buffer);
  handle.pause();
  return { descriptor: handle.fd, ahead: Buffer.concat(ahead) };
}

/**
 * Sends a short text and, with it, a descriptor over a connected unix socket: the receiver gets one of its own. Throws SyscallError,
 * EAGAIN when the socket's buffer is full, EBADF when it is closed.
 */
export function passDescriptor(socket: Socket, text: string, descriptor: number): void {
  const bytes = Buffer.from(text);
  const iov = new BigUint64Array([BigInt(ptr(bytes)), BigInt(bytes.length)]);
  // struct cmsghdr: length, level, type; then the descriptor, padded to eight bytes.
  const control = new DataView(new ArrayBuffer(24));
  control.setBigUint64(0, 20n, true);
  control.setInt32(8, solSocket, true);
  control.setInt32(12, scmRights, true);
  control.setInt32(16, descriptor, true);
  const controlBytes = new Uint8Array(control.buffer);
  const message = new BigUint64Array([0n, 0n, BigInt(ptr(iov)), 1n, BigInt(ptr(controlBytes)), 24n, 0n]);
  const sent = check(calls.sendmsg(handleOf(socket)?.fd ?? closed, ptr(message), noSignal), "sendmsg");
  if (sent !== bytes.length) throw new Error(`sendmsg: ${sent} of ${bytes.length} bytes`);
}
