/** Unpacks an archive of any compression into a layer's directory. */
import type { Bytes } from "../../base/streams.ts";
import { type ChildInput, startChild } from "../processes/run-child.ts";
import { readArchive, readFile } from "../read-archive.ts";
import type { UnpackLayerResult } from "./layer-files.ts";
import type { FileRange } from "./layer-jobs.ts";

/**
 * Fills the empty `directory` (layer-jobs.ts says with what). Rejects `invalid-argument` for a corrupt archive, `canceled` after an
 * abort; the directory is the caller's to remove. No process outlives the promise.
 */
export async function unpackLayerArchive(
  source: Bytes | FileRange,
  directory: string,
  signal?: AbortSignal,
): Promise<UnpackLayerResult> {
  const read = (job: object) => (stdin: ChildInput, either: AbortSignal) =>
    startChild("__archive", { verb: "unpack-layer", directory, ...job }, { stdin, signal: either }).result;
  const reading =
    "path" in source ? readFile(source, read({}), read({ source }), signal) : readArchive(source, read({}), signal);
  return (await reading) as UnpackLayerResult;
}
