/** A blob of a registry as one stream, gone on with where a connection breaks. What it is, is for the reader to verify. */
import { errorKind, unavailable } from "../base/errors.ts";
import type { Bytes } from "../base/streams.ts";
import type { Digest } from "../oci/digest.ts";
import { isTransient, type Repository } from "./repository.ts";

/** In a row: any progress begins the count again. */
const attempts = 5;
const firstWaitMillis = 100;

type BlobSource = Pick<Repository, "openBlob">;

export interface RemoteBlob {
  /** In bytes; undefined when the registry does not say. */
  readonly size: number | undefined;
  readonly body: Bytes;
}

/** Rejects when there is none, or no answer. */
export async function openResuming(remote: BlobSource, digest: Digest, signal: AbortSignal): Promise<RemoteBlob> {
  const { size, body } = await remote.openBlob(digest, 0, signal);
  return { size, body: resumingBlob(remote, { digest, size }, signal, body) };
}

/** With `size` it is all there, or an error comes at the end. `first`: the answer to a request that has been made. */
export async function* resumingBlob(
  remote: BlobSource,
  { digest, size = 0 }: { digest: Digest; size?: number | undefined },
  signal: AbortSignal,
  first?: Bytes,
): AsyncGenerator<Uint8Array> {
  let offset = 0;
  let failures = 0;
  let body = first;
  let skip = 0;
  for (;;) {
    try {
      if (!body) {
        const opened = await remote.openBlob(digest, offset, signal);
        body = opened.body;
        // One that knows no ranges begins again.
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
      if (offset >= size) return;
      throw unavailable("the registry ended the blob early");
    } catch (error) {
      const passes = isTransient(error) || errorKind(error) === "unavailable";
      if (signal.aborted || !passes || ++failures > attempts) throw error;
      body = undefined;
      await Bun.sleep(firstWaitMillis * 2 ** failures);
    }
  }
}
