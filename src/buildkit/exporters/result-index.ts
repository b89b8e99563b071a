/** The index of results: of several platforms, and of those about which something is said. */
import type { BuiltIndex, IndexedImage } from "../../engine/images/builds/oci-manifest.ts";
import type { Digest } from "../../oci/digest.ts";
import { formatReference, type Reference } from "../../oci/reference.ts";
import type { Built } from "../frontend/frontend.ts";
import type { BuiltResult } from "../frontend/platform-build.ts";
import { now } from "../progress.ts";
import type { ProvenanceOptions } from "../provenance/options.ts";
import { imageUrl } from "../provenance/package-url.ts";
import { predicate, predicateTypes } from "../provenance/predicate.ts";
import { statement } from "../provenance/statement.ts";
import type { ExportResponse, ExportScope } from "./export.ts";

/** Undefined: a single image needs none. `images`: of the results, in their order. */
export async function indexOf(
  { results }: Built,
  images: readonly Digest[],
  names: readonly Reference[],
  { deps, record }: ExportScope,
): Promise<BuiltIndex | undefined> {
  if (results.length === 1 && !results[0]?.provenance) return undefined;
  return await deps.images.createIndex(
    images.map((image, at): IndexedImage => {
      const result = results[at] as BuiltResult;
      const { provenance, platform } = result;
      if (!provenance) return { image };
      const subjects = (digest: Digest) =>
        names.map((name) => ({ name: imageUrl(formatReference(name), platform), digest }));
      const predicateType = predicateTypes[provenance.version];
      const said = predicateOf(result, provenance, record);
      return {
        image,
        attestation: { predicateType, statement: (digest) => statement(predicateType, said, subjects(digest)) },
      };
    }),
  );
}

/** What clients are told of an output: its digest, and the image's id where there is no index. */
export function digestResponse(
  image: Digest,
  index: BuiltIndex | undefined,
  digest = index?.blob.digest ?? image,
): ExportResponse {
  return { ...(index ? {} : { "containerimage.config.digest": image }), "containerimage.digest": digest };
}

/** Where a result comes from, as outputs say it. */
export function predicateOf(
  { origin }: BuiltResult,
  provenance: ProvenanceOptions,
  { Ref: id, CreatedAt: started }: ExportScope["record"],
): object {
  return predicate(origin, { id, started, finished: now() }, provenance);
}
