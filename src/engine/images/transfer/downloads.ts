/**
 * Layers on their way in. A blob goes to an ingest of the content store as it arrives, and is unpacked from there at the same time; a
 * broken connection goes on by Range, in this attempt or, since the ingest stays, in a later one. Whoever wants a layer that is
 * already on its way joins that download; it ends early only when the last one has gone.
 */
import {
  canceled,
  EngineError,
  errorKind,
  internal,
  isDiskFull,
  unavailable,
  withPrefix,
} from "../../../base/errors.ts";
import type { Bytes } from "../../../base/streams.ts";
import type { ContentStore, Ingest } from "../../../content/content.ts";
import { algorithmOf, type Digest, Digester } from "../../../oci/digest.ts";
import { RegistryError } from "../../../remote/registry-error.ts";
import { isTransient, type Repository } from "../../../remote/repository.ts";
import type { Layer, LayerStore } from "../../../snapshots/layer-store.ts";
import { limiter } from "../archive/limit.ts";
import { Follower } from "./follower.ts";
import type { Listener, Update } from "./progress.ts";

export interface LayerRequest {
  repository: Pick<Repository, "openBlob">;
  digest: Digest;
  /** Bytes, as the manifest says. */
  size: number;
  diffId: Digest;
}

interface Shared {
  result: Promise<Layer>;
  listeners: Set<Listener>;
  last: Update | undefined;
  abort: AbortController;
}

const chunkSize = 1 << 20;
/** A connection that says nothing for so long is given up. Milliseconds. */
const stallTimeout = 60_000;

export class Downloads {
  private readonly layers: LayerStore;
  private readonly content: ContentStore;
  private readonly limits: { downloads: number; attempts: number };
  private readonly limit: ReturnType<typeof limiter>;
  private readonly running = new Map<string, Shared>();

  /** `limits` are read at each use. */
  constructor(layers: LayerStore, content: ContentStore, limits: { downloads: number; attempts: number }) {
    this.layers = layers;
    this.content = content;
    this.limits = limits;
    this.limit = limiter(() => limits.downloads);
  }

  /** Resolves when the layer is in the store. Rejects `canceled` at once when the signal aborts. */
  async fetch(request: LayerRequest, listener: Listener, signal: AbortSignal): Promise<Layer> {
    signal.throwIfAborted();
    const key = `${request.digest} ${request.diffId}`;
    let shared = this.running.get(key);
    // One that everybody has left still holds the ingest.
    for (; shared?.abort.signal.aborted; shared = this.running.get(key)) await shared.result.catch(() => undefined);
    shared ??= this.start(key, request);
    shared.listeners.add(listener);
    if (shared.last) listener(shared.last);
    const gone = Promise.withResolvers<never>();
    const leave = () => gone.reject(canceled("context canceled"));
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([shared.result, gone.promise]);
    } finally {
      signal.removeEventListener("abort", leave);
      shared.listeners.delete(listener);
      if (shared.listeners.size === 0 && signal.aborted) {
        shared.abort.abort();
        // Whoever comes next starts anew, once this one has let go of its ingest.
        await shared.result.catch(() => undefined);
      }
    }
  }

  /** Drops what an earlier daemon had fetched for layers that it finished. Call once. */
  async reconcile(): Promise<void> {
    for (const { key } of await this.content.ingests()) {
      const diffId = /^layer \S+ (\S+)$/.exec(key)?.[1];
      if (diffId !== undefined && this.layers.has(diffId)) await this.content.abandon(key);
    }
  }

  /** Drops what has come of a layer, unless somebody still waits for it. */
  async abandon({ digest, diffId }: Pick<LayerRequest, "digest" | "diffId">): Promise<void> {
    const key = `${digest} ${diffId}`;
    const shared = this.running.get(key);
    if (shared && shared.listeners.size > 0) return;
    await shared?.result.catch(() => undefined);
    if (!this.running.has(key)) await this.content.abandon(`layer ${key}`);
  }

  /** Drops what broken pulls left, but for those that run. Returns the bytes. */
  async abandonPartial(): Promise<number> {
    let bytes = 0;
    for (const { key, offset } of await this.content.ingests()) {
      if (!key.startsWith("layer ") || this.running.has(key.slice("layer ".length))) continue;
      await this.content.abandon(key);
      bytes += offset;
    }
    return bytes;
  }

  private start(key: string, request: LayerRequest): Shared {
    const shared: Shared = {
      result: Promise.reject(),
      listeners: new Set(),
      last: undefined,
      abort: new AbortController(),
    };
    shared.result.catch(() => undefined);
    this.running.set(key, shared);
    const emit: Listener = (update) => {
      shared.last = update;
      for (const listener of shared.listeners) listener(update);
    };
    shared.result = this.run(key, request, emit, shared.abort.signal).finally(() => this.running.delete(key));
    shared.result.catch(() => undefined);
    return shared;
  }

  private async run(key: string, request: LayerRequest, emit: Listener, signal: AbortSignal): Promise<Layer> {
    const ingest = await this.content.ingest(`layer ${key}`);
    const resumed = ingest.offset > 0;
    let full = false;
    try {
      return await this.attempt(request, ingest, emit, signal);
    } catch (error) {
      full = isDiskFull(error);
      // What an earlier daemon left on disk may have been damaged since: one try without it.
      if (!resumed || signal.aborted || !(error instanceof VerificationError)) throw error;
      await ingest.truncate();
      return await this.attempt(request, ingest, emit, signal);
    } finally {
      // A full disk has no room for what may be wanted later.
      if (full || this.layers.has(request.diffId)) await ingest.abort();
      else await ingest.close();
    }
  }

  private async attempt(request: LayerRequest, ingest: Ingest, emit: Listener, signal: AbortSignal): Promise<Layer> {
    const failed = new AbortController();
    const either = AbortSignal.any([signal, failed.signal]);
    const follower = new Follower(ingest, chunkSize);
    let unpackError: unknown;
    let unpacking: Promise<Layer> | undefined;
    let downloaded = false;
    try {
      let started = false;
      const downloading = this.limit(async () => {
        started = true;
        either.throwIfAborted();
        const options = { expected: request.diffId, signal: either };
        unpacking = this.layers.unpack(follower.read(), options);
        unpacking.catch((error: unknown) => {
          unpackError ??= error;
          failed.abort();
        });
        await this.download(request, ingest, follower, emit, either);
      });
      if (!started) emit({ status: "Waiting" });
      await downloading;
      downloaded = true;
      emit({ status: "Download complete" });
      follower.onRead = (current) => emit({ status: "Extracting", current, total: request.size });
      follower.end();
      const layer = await (unpacking as unknown as Promise<Layer>);
      emit({ status: "Pull complete" });
      return layer;
    } catch (error) {
      const cause = unpackError ?? error;
      follower.fail(cause);
      failed.abort();
      await Promise.resolve(unpacking).catch(() => undefined);
      if (signal.aborted) throw canceled("context canceled", { cause });
      // Bytes that are not what they should be must not be taken up again.
      if (cause instanceof VerificationError || (downloaded && errorKind(cause) === "invalid-argument"))
        await ingest.truncate();
      const refused = cause === unpackError && cause instanceof EngineError && cause.kind !== "canceled";
      throw refused ? withPrefix("failed to register layer: ", cause) : cause;
    }
  }

  private async download(
    request: LayerRequest,
    ingest: Ingest,
    follower: Follower,
    emit: Listener,
    signal: AbortSignal,
  ): Promise<void> {
    const digester = new Digester(algorithmOf(request.digest));
    if (ingest.offset > request.size) await ingest.truncate();
    for (let at = 0; at < ingest.offset; at += chunkSize) digester.update(await ingest.read(at, chunkSize));
    follower.wake();
    for (let failures = 0; ingest.offset < request.size; ) {
      const before = ingest.offset;
      try {
        await receive(request, ingest, signal, (chunk) => {
          digester.update(chunk);
          follower.wake();
          emit({ status: "Downloading", current: ingest.offset, total: request.size });
        });
      } catch (error) {
        failures = ingest.offset > before ? 1 : failures + 1;
        if (signal.aborted || !isRetryable(error) || failures >= this.limits.attempts) throw error;
        await pause(failures, emit, signal);
      }
    }
    emit({ status: "Verifying Checksum" });
    if (digester.digest() !== request.digest) throw new VerificationError(request.digest);
  }
}

class VerificationError extends EngineError {
  constructor(digest: Digest) {
    super("internal", `filesystem layer verification failed for digest ${digest}`);
  }
}

class WrongSize extends EngineError {
  constructor(digest: Digest, actual: number, expected: number) {
    super("internal", `unexpected size ${actual} of layer ${digest}: the manifest says ${expected}`);
  }
}

function isRetryable(error: unknown): boolean {
  if (isDiskFull(error)) return false;
  return error instanceof RegistryError
    ? isTransient(error)
    : !(error instanceof EngineError) || error.kind === "unavailable";
}

/** One connection's worth. Rejects when it ends before the blob does. */
async function receive(
  { repository, digest, size }: LayerRequest,
  ingest: Ingest,
  signal: AbortSignal,
  took: (chunk: Uint8Array) => void,
): Promise<void> {
  const stalled = new AbortController();
  const either = AbortSignal.any([signal, stalled.signal]);
  const { start, size: whole = size, body } = await repository.openBlob(digest, ingest.offset, either);
  if (whole !== size) throw new WrongSize(digest, whole, size);
  let skip = ingest.offset - start;
  if (skip < 0) throw internal(`the registry sent bytes from ${start} on instead of ${ingest.offset}`);
  const watch = setInterval(() => {
    if (Date.now() - heard > stallTimeout) stalled.abort();
  }, 1000);
  let heard = Date.now();
  try {
    for await (const received of body as Bytes) {
      heard = Date.now();
      const chunk = skip > 0 ? received.subarray(skip) : received;
      skip = Math.max(0, skip - received.length);
      if (chunk.length === 0) continue;
      if (ingest.offset + chunk.length > size) throw new VerificationError(digest);
      await ingest.write(chunk);
      took(chunk);
    }
  } catch (error) {
    if (stalled.signal.aborted && !signal.aborted) throw unavailable("the registry stopped sending", { cause: error });
    throw error;
  } finally {
    clearInterval(watch);
  }
  if (ingest.offset < size) throw unavailable("unexpected EOF");
}

/** Short when bytes had come, longer each time that none did. */
async function pause(failures: number, emit: Listener, signal: AbortSignal): Promise<void> {
  const seconds = Math.min(2 ** (failures - 1), 16);
  if (failures === 1) return Bun.sleep(100);
  emit({ status: `Retrying in ${seconds} second${seconds === 1 ? "" : "s"}` });
  for (let waited = 0; waited < seconds * 10 && !signal.aborted; waited++) await Bun.sleep(100);
  return undefined;
}
