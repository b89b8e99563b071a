/** Unpacks an archive of any compression into a layer's directory, through a pipeline of child processes. */
import { type FileHandle, open } from "node:fs/promises";
import { canceled, EngineError, errorMessage } from "../base/errors.ts";
import { type Bytes, collectText } from "../base/streams.ts";
import { type Compression, decompressionError, decompressor, detectCompression, magicSize } from "./compression.ts";
import type { FileRange, UnpackLayerResult } from "./layer-jobs.ts";
import { type ChildInput, makePipe, startChild } from "./run-child.ts";

export interface UnpackedArchive extends UnpackLayerResult {
  blobDigest: string;
  blobSize: number;
}

/**
 * Fills the empty `directory` (layer-jobs.ts says with what). Rejects `invalid-argument` for a corrupt archive, `canceled` after an
 * abort; the directory is the caller's to remove. No process outlives the promise.
 */
export async function unpackLayerArchive(
  source: Bytes | FileRange,
  directory: string,
  signal?: AbortSignal,
): Promise<UnpackedArchive> {
  const ended = new AbortController();
  const either = signal ? AbortSignal.any([signal, ended.signal]) : ended.signal;
  try {
    return "path" in source
      ? await unpackFile(source, directory, either)
      : await unpackStream(source, directory, either);
  } catch (error) {
    if (signal?.aborted) throw canceled("context canceled", { cause: error });
    throw error;
  } finally {
    ended.abort();
  }
}

async function unpackFile(source: FileRange, directory: string, signal: AbortSignal): Promise<UnpackedArchive> {
  const kind = detectCompression(await readHead(source));
  if (kind === "none") return unpackPlain({ directory, source }, undefined, signal);
  return unpackCompressed(kind, directory, source, undefined, signal);
}

async function readHead({ path, offset, size }: FileRange): Promise<Uint8Array> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    const head = new Uint8Array(magicSize);
    const { bytesRead } = await file.read(head, 0, Math.min(magicSize, size ?? magicSize), offset);
    return head.subarray(0, bytesRead);
  } finally {
    await file?.close();
  }
}

async function unpackStream(source: Bytes, directory: string, signal: AbortSignal): Promise<UnpackedArchive> {
  const { head, whole } = await peek(source);
  const kind = detectCompression(head);
  if (kind === "none") return unpackPlain({ directory }, whole, signal);
  return unpackCompressed(kind, directory, undefined, whole, signal);
}

/** The first bytes of a stream, and the whole stream. */
export async function peek(source: Bytes): Promise<{ head: Uint8Array; whole: Bytes }> {
  const iterator = source[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  for (let size = 0; size < magicSize; ) {
    const next = await iterator.next();
    if (next.done) break;
    chunks.push(next.value);
    size += next.value.length;
  }
  async function* whole() {
    try {
      yield* chunks;
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  }
  return { head: Buffer.concat(chunks), whole: whole() };
}

async function unpackPlain(
  job: { directory: string; source?: FileRange },
  stdin: ChildInput,
  signal: AbortSignal,
): Promise<UnpackedArchive> {
  const result = await unpackWith(job, stdin, signal);
  return { ...result, blobDigest: result.diffId, blobSize: result.tarSize };
}

async function unpackWith(
  job: { directory: string; source?: FileRange },
  stdin: ChildInput,
  signal: AbortSignal,
): Promise<UnpackLayerResult> {
  const child = startChild("__archive", { verb: "unpack-layer", ...job }, { stdin, signal });
  try {
    return (await child.result) as UnpackLayerResult;
  } catch (error) {
    throw error instanceof EngineError && error.kind !== "canceled" ? processingError(error) : error;
  }
}

/** As dockerd words it: its child's message, and that it failed. */
function processingError(error: EngineError): EngineError {
  return new EngineError(error.kind, `Error processing tar file(exit status 1): ${errorMessage(error)}`, {
    cause: error,
  });
}

/** blob ─→ `pass` (digest of the blob) ─→ decompressor ─→ `unpack-layer` */
async function unpackCompressed(
  kind: Exclude<Compression, "none">,
  directory: string,
  source: FileRange | undefined,
  stdin: ChildInput,
  signal: AbortSignal,
): Promise<UnpackedArchive> {
  const argv = decompressor(kind);
  using packed = makePipe();
  using plain = makePipe();
  const passing = startChild("__archive", { verb: "pass", source }, { stdin, stdout: packed.writeEnd, signal });
  const filter = Bun.spawn(argv, { stdin: packed.readEnd, stdout: plain.writeEnd, stderr: "pipe" });
  signal.addEventListener("abort", () => filter.kill("SIGKILL"), { once: true });
  const unpacking = unpackWith({ directory }, plain.readEnd, signal);
  packed[Symbol.dispose]();
  plain[Symbol.dispose]();
  const [unpacked, passed, said] = await Promise.allSettled([unpacking, passing.result, collectText(filter.stderr)]);
  const exit = await filter.exited;
  // gzip's 2 is a warning: garbage after the end.
  const corrupt = exit !== 0 && !(kind === "gzip" && exit === 2) && filter.signalCode === null;
  if (corrupt && !signal.aborted) {
    throw processingError(decompressionError(kind, said.status === "fulfilled" ? said.value : "") as EngineError);
  }
  if (unpacked.status === "rejected") throw unpacked.reason;
  if (passed.status === "rejected") throw passed.reason;
  const blob = passed.value as { digest: string; size: number };
  return { ...unpacked.value, blobDigest: blob.digest, blobSize: blob.size };
}
