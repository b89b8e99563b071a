/** Makes a layer of an upper directory: one process packs it, another unpacks, digests and records it. */

import { brokenPipe } from "../archive/child-protocol.ts";
import type { UnpackLayerResult } from "../archive/layer-jobs.ts";
import { makePipe, startChild } from "../archive/run-child.ts";
import { canceled, errorMessage } from "../base/errors.ts";
import type { UpperJob } from "./child.ts";
import type { Layer } from "./layer-store.ts";

/** Fills the empty `directory` as a layer. */
export async function packLayer(job: UpperJob, directory: string, signal?: AbortSignal): Promise<Layer> {
  const ended = new AbortController();
  const either = signal ? AbortSignal.any([signal, ended.signal]) : ended.signal;
  using pipe = makePipe();
  const packing = startChild("__snapshot", job, { stdout: pipe.writeEnd, signal: either });
  const unpacking = startChild(
    "__archive",
    { verb: "unpack-layer", directory },
    { stdin: pipe.readEnd, signal: either },
  );
  pipe[Symbol.dispose]();
  const [packed, unpacked] = await Promise.allSettled([packing.result, unpacking.result]);
  ended.abort();
  if (signal?.aborted) throw canceled("context canceled");
  // Of two errors, one follows from the other.
  if (packed.status === "rejected" && !errorMessage(packed.reason).endsWith(brokenPipe)) throw packed.reason;
  if (unpacked.status === "rejected") throw unpacked.reason;
  if (packed.status === "rejected") throw packed.reason;
  const { diffId, size } = unpacked.value as UnpackLayerResult;
  return { diffId, size };
}
