/** Small helpers over byte streams. A stream here is any AsyncIterable of chunks: Node Readables and web ReadableStreams both are. */
export type Bytes = AsyncIterable<Uint8Array>;

/** A stream whose rest another process can put into a pipe, which is cheaper when there is much of it. */
export interface CarriedBytes extends Bytes {
  /**
   * Between two chunks, instead of asking for the next one: the rest goes to the pipe, whose end stays the caller's to close. Settles as
   * reading to the end would; quietly and early on an abort. Undefined where it cannot be done.
   */
  carryTo?(pipe: number, signal: AbortSignal): Promise<void> | undefined;
}

/** A stream that comes out of a pipe, from where another process can take it. */
export interface PipedBytes extends Bytes {
  /**
   * Instead of reading: what comes first goes to `write`, and if there is much more, `carry` gets the reading end for the rest. Settles
   * as reading to the end would.
   */
  through(write: (chunk: Uint8Array) => Promise<void>, carry: (pipe: number) => Promise<void>): Promise<void>;
}

export function isPiped(source: AsyncIterable<unknown>): source is PipedBytes {
  return "through" in source;
}

/** A stream of bytes that are here already; one chunk, or none. */
export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

/** A response's body; empty where it has none, as with status 204. */
export function bodyOf(response: Response): ReadableStream<Uint8Array> {
  return response.body ?? new Blob([]).stream();
}

export async function collect(source: Bytes, limit = Number.POSITIVE_INFINITY): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > limit) throw new RangeError(`stream is larger than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export async function collectText(source: Bytes, limit?: number): Promise<string> {
  return new TextDecoder().decode(await collect(source, limit));
}

/** Splits a byte stream into text lines without their newline; the last one may lack it. */
export async function* lines(source: Bytes): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of source) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
  if (rest !== "") yield rest;
}
