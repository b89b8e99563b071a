/** A blob of an upstream as one stream, gone on with where a connection breaks. */
import type { Digest } from "../../oci/digest.ts";
import { isTransient, type Repository } from "../../remote/repository.ts";

/** In a row: any progress begins the count again. */
const attempts = 5;
const firstWaitMillis = 100;

export interface RemoteBlob {
  /** In bytes; undefined when the upstream does not say. */
  readonly size: number | undefined;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Rejects when there is none, or no answer. */
export async function openResuming(remote: Repository, digest: Digest, signal: AbortSignal): Promise<RemoteBlob> {
  const first = await remote.openBlob(digest, 0, signal);
  return { size: first.size, body: resume(remote, digest, first.body, signal) };
}

async function* resume(
  remote: Repository,
  digest: Digest,
  first: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  let offset = 0;
  let failures = 0;
  let body: AsyncIterable<Uint8Array> | undefined = first;
  let skip = 0;
  for (;;) {
    try {
      if (!body) {
        const opened = await remote.openBlob(digest, offset, signal);
        body = opened.body;
        // An upstream that knows no ranges begins again.
        skip = offset - opened.start;
      }
      for await (const chunk of body) {
        const fresh = chunk.subarray(Math.min(skip, chunk.length));
        skip -= chunk.length - fresh.length;
        if (fresh.length === 0) continue;
        offset += fresh.length;
        failures = 0;
        yield fresh;
      }
      return;
    } catch (error) {
      if (signal.aborted || !isTransient(error) || ++failures > attempts) throw error;
      body = undefined;
      await Bun.sleep(firstWaitMillis * 2 ** failures);
    }
  }
}
