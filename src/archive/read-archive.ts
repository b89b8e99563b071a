/**
 * Feeds an archive of any compression to a child process that reads plain tar:
 *
 *   plain:       source ─→ reader
 *   compressed:  source ─→ decompressor ─→ reader
 *   in a file:   `pass` (the range of it) ─→ decompressor ─→ reader
 */
import { closeSync } from "node:fs";
import { open } from "node:fs/promises";
import { canceled, errorMessage } from "../base/errors.ts";
import { type CarriedBytes, collectText } from "../base/streams.ts";
import { makePipe } from "../linux/pipe.ts";
import { giveWay } from "../linux/priority.ts";
import { type Compression, decompressionError, decompressor, detectCompression, magicSize } from "./compression.ts";
import type { FileRange } from "./layers/layer-jobs.ts";
import { type ChildInput, feed, startChild } from "./processes/run-child.ts";

/** Starts the process that reads the archive from `stdin`; resolves with its result. */
export type StartReader = (stdin: ChildInput, signal: AbortSignal) => Promise<unknown>;

/** Resolves with the reader's result. Rejects `invalid-argument` for corrupt input, `canceled` after an abort; no process outlives the promise. */
export function readArchive(source: CarriedBytes, reader: StartReader, signal?: AbortSignal): Promise<unknown> {
  return endingAll(signal, async (either) => {
    const { head, whole } = await peek(source);
    const kind = detectCompression(head);
    if (kind === "none") return reader(whole, either);
    return readCompressed(kind, whole, reader, either);
  });
}

/** As readArchive, from a stretch of a file. `direct` starts a reader that opens the file itself. */
export function readFile(
  source: FileRange,
  reader: StartReader,
  direct: StartReader,
  signal?: AbortSignal,
): Promise<unknown> {
  return endingAll(signal, async (either) => {
    const kind = detectCompression(await readHead(source));
    if (kind === "none") return direct(undefined, either);
    return readCompressed(kind, source, reader, either);
  });
}

/** Ends what still runs when the work is over, whatever its outcome. */
async function endingAll<T>(signal: AbortSignal | undefined, work: (either: AbortSignal) => Promise<T>): Promise<T> {
  const ended = new AbortController();
  try {
    return await work(signal ? AbortSignal.any([signal, ended.signal]) : ended.signal);
  } catch (error) {
    if (signal?.aborted) throw canceled("context canceled", { cause: error });
    throw error;
  } finally {
    ended.abort();
  }
}

async function readHead({ path, offset, size }: FileRange): Promise<Uint8Array> {
  const file = await open(path, "r");
  try {
    const head = new Uint8Array(magicSize);
    const { bytesRead } = await file.read(head, 0, Math.min(magicSize, size ?? magicSize), offset);
    return head.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** The first bytes of a stream, at least `wanted` if there are as many, and the whole stream. */
export async function peek(
  source: CarriedBytes,
  wanted = magicSize,
): Promise<{ head: Uint8Array; whole: CarriedBytes }> {
  const iterator = source[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  for (let size = 0; size < wanted; ) {
    const next = await iterator.next();
    if (next.done) break;
    chunks.push(next.value);
    size += next.value.length;
  }
  let shown = false;
  async function* whole() {
    try {
      yield* chunks;
      shown = true;
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  }
  const carryTo: CarriedBytes["carryTo"] = (pipe, signal) => (shown ? source.carryTo?.(pipe, signal) : undefined);
  return { head: Buffer.concat(chunks), whole: Object.assign(whole(), { carryTo }) };
}

async function readCompressed(
  kind: Exclude<Compression, "none">,
  source: CarriedBytes | FileRange,
  reader: StartReader,
  signal: AbortSignal,
): Promise<unknown> {
  signal.throwIfAborted();
  using plain = makePipe();
  const { filter, input } = startFilter(decompressor(kind), plain.writeEnd);
  signal.addEventListener("abort", () => filter.kill("SIGKILL"), { once: true });
  const reading = Promise.try(reader, plain.readEnd, signal);
  plain[Symbol.dispose]();
  let broken: unknown;
  const fail = (error: unknown) => {
    broken = error;
    filter.kill("SIGKILL");
  };
  const succeeded = reading.then(
    () => true,
    () => false,
  );
  const sending = "path" in source ? passRange(source, input, signal) : feed(source, input, { fail, succeeded });
  const [read, said] = await Promise.allSettled([reading, collectText(filter.stderr)]);
  const exit = await filter.exited;
  signal.throwIfAborted();
  if (broken !== undefined) throw broken;
  if (read.status === "rejected" && errorMessage(read.reason).includes("unexpected EOF") === false) throw read.reason;
  // gzip's 2 is a warning: garbage after the end. A filter that nobody reads from is ended by a signal.
  const corrupt = exit !== 0 && !(kind === "gzip" && exit === 2) && filter.signalCode === null;
  if (corrupt) throw decompressionError(kind, said.status === "fulfilled" ? said.value : "");
  if (read.status === "rejected") throw read.reason;
  await sending;
  if (broken !== undefined) throw broken;
  return read.value;
}

/** The filter, and the descriptor that it is fed by, which is the caller's to close. */
function startFilter(argv: string[], stdout: number) {
  const { readEnd, writeEnd } = makePipe();
  try {
    const filter = Bun.spawn(argv, { detached: true, stdin: readEnd, stdout, stderr: "pipe" });
    giveWay(filter);
    return { filter, input: writeEnd };
  } catch (error) {
    closeSync(writeEnd);
    throw error;
  } finally {
    closeSync(readEnd);
  }
}

/** Sends a stretch of a file to a descriptor, which it closes. */
function passRange(source: FileRange, stdout: number, signal: AbortSignal): Promise<unknown> {
  try {
    return startChild("__archive", { verb: "pass", source }, { stdout, signal }).result;
  } finally {
    closeSync(stdout);
  }
}
