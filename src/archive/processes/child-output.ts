/**
 * The reading end of a pipe of our own as a stream, and then the child's outcome. Bun reads such a descriptor in three times less
 * time than the socket that it makes itself for a child's output, but leaves closing it to us.
 */
import { closeSync, read } from "node:fs";
import type { PipedBytes } from "../../base/streams.ts";

/** Up to here a stream is not worth a process that carries it. Bytes. */
const smallSize = 256 * 1024;

/** `descriptor` is closed when nobody needs it any more. Ends with the error if the child failed; leaving early ends the child. */
export function outputOf(descriptor: number | undefined, result: Promise<unknown>, kill: () => void): PipedBytes {
  let open = descriptor !== undefined;
  let taken = false;
  const close = () => {
    if (open && descriptor !== undefined) closeSync(descriptor);
    open = false;
  };
  /** The stream to its end by `pass`, and the child's outcome. */
  async function* use(pass: (descriptor: number) => AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
    taken = true;
    let complete = false;
    try {
      if (open && descriptor !== undefined) yield* pass(descriptor);
      close();
      await result;
      complete = true;
    } finally {
      close();
      if (!complete) kill();
    }
  }
  // Who learns of the failure first does not come to read.
  result.catch(() => {
    if (!taken) close();
  });
  return Object.assign(
    use((pipe) => Bun.file(pipe).stream() as unknown as AsyncGenerator<Uint8Array>),
    {
      async through(write: (chunk: Uint8Array) => Promise<void>, carry: (pipe: number) => Promise<void>) {
        const small = async function* (pipe: number) {
          for (let size = 0; size < smallSize; ) {
            const chunk = await readSome(pipe);
            if (chunk.length === 0) return;
            size += chunk.length;
            yield chunk;
          }
          await carry(pipe);
        };
        for await (const chunk of use(small)) await write(chunk);
      },
    },
  );
}

/** On the thread pool, which waits for the child. Empty at the end. */
function readSome(descriptor: number): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafe(64 * 1024);
  return new Promise((resolve, reject) => {
    read(descriptor, buffer, 0, buffer.length, null, (error, size) =>
      error ? reject(error) : resolve(buffer.subarray(0, size)),
    );
  });
}
