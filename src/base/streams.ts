/** Small helpers over byte streams. A stream here is any AsyncIterable of chunks: Node Readables and web ReadableStreams both are. */
export type Bytes = AsyncIterable<Uint8Array>;

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
