/**
 * Docker's framing of two output streams on one connection: `[stream, 0, 0, 0, length big-endian 32] payload`.
 * Source: Docker Engine API, "Attach to a container", stream format.
 */
export type StdStream = "stdin" | "stdout" | "stderr";

const codes: Record<StdStream, number> = { stdin: 0, stdout: 1, stderr: 2 };

export const frameHeaderSize = 8;

/** One frame: header and payload in one buffer. */
export function frame(stream: StdStream, payload: Uint8Array): Uint8Array {
  const framed = Buffer.allocUnsafe(frameHeaderSize + payload.length);
  framed.writeUInt32BE(codes[stream] << 24, 0);
  framed.writeUInt32BE(payload.length, 4);
  framed.set(payload, frameHeaderSize);
  return framed;
}
