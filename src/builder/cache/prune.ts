/** `docker builder prune`: forgets cached steps and removes the images that only the cache needed, and directories that builds have left. */
import type { Filters } from "../../api/system.ts";
import { errorKind } from "../../base/errors.ts";
import { untilFilter } from "../../engine/images/image-filters.ts";
import type { Digest } from "../../oci/digest.ts";
import type { BuilderImages } from "../parts.ts";
import type { KeptDirectory } from "./kept-directories.ts";
import { dockerFilter, type RecordFilter } from "./record-filter.ts";
import { type CacheParts, cacheRecords } from "./records.ts";
import type { CacheEntry } from "./step-cache.ts";

export interface CachePruneRequest {
  /** Also what images with a name were built from; their images stay, but the steps are forgotten. */
  all: boolean;
  /** Bytes of layers and directories that may stay; 0: nothing. */
  keepStorage: number;
  /** Docker's: `until`, and those of records. */
  filters: Filters;
  /** In place of those of records. */
  matches?: RecordFilter | undefined;
}

export interface CachePruneResult {
  CachesDeleted: string[] | null;
  SpaceReclaimed: number;
}

/** Something that may go. */
interface Candidate {
  shown: string;
  size: number;
  used: number;
  /** False when something else needs it. */
  remove(): Promise<boolean>;
  /** Only no build finds it any more. */
  forget?(): void;
}

export async function pruneCache(parts: CacheParts, request: CachePruneRequest): Promise<CachePruneResult> {
  const until = untilFilter(request.filters);
  const millis = until === undefined ? undefined : Number(until / 1_000_000n);
  const matching = new Set(
    cacheRecords(parts)
      .filter(request.matches ?? dockerFilter(request.filters))
      .map(({ ID }) => ID),
  );
  const everything = [
    ...parts.steps.list().map((entry) => stepCandidate(parts, entry)),
    ...parts.directories.list().map((directory) => directoryCandidate(parts, directory)),
  ].toSorted((a, b) => a.used - b.used);
  let candidates = everything.filter(
    ({ shown, used }) => matching.has(shown) && (millis === undefined || used <= millis),
  );
  let kept = everything.reduce((sum, { size }) => sum + size, 0);
  const result = { CachesDeleted: [] as string[], SpaceReclaimed: 0 };
  // An image goes only after those made on top of it: each round takes the outermost ones.
  for (let before = -1; before !== candidates.length; ) {
    before = candidates.length;
    const left: Candidate[] = [];
    for (const candidate of candidates) {
      if (request.keepStorage > 0 && kept <= request.keepStorage) break;
      if (!(await candidate.remove())) {
        left.push(candidate);
        continue;
      }
      result.CachesDeleted.push(candidate.shown);
      kept -= candidate.size;
      result.SpaceReclaimed += candidate.size;
    }
    candidates = left;
  }
  for (const { shown, forget } of request.all ? candidates : []) {
    if (!forget) continue;
    forget();
    result.CachesDeleted.push(shown);
  }
  return { ...result, CachesDeleted: result.CachesDeleted.length > 0 ? result.CachesDeleted : null };
}

/** As long as BuildKit's ids. */
export function shownKey({ key }: Pick<CacheEntry, "key">): string {
  return key.replace("sha256:", "").slice(0, 25);
}

/** Bytes that the step itself added. */
export function ownSize(images: BuilderImages, { image }: CacheEntry): number {
  const record = images.find(image);
  if (record?.hidden) return images.topLayerSize(image);
  const parent = record?.parent === undefined ? undefined : images.find(record.parent);
  return record ? Math.max(0, record.size - (parent?.size ?? 0)) : 0;
}

function stepCandidate({ steps, images }: CacheParts, entry: CacheEntry): Candidate {
  const forget = () => steps.forget(entry.key);
  return {
    shown: shownKey(entry),
    size: ownSize(images, entry),
    used: entry.used,
    forget,
    async remove() {
      if (!(await removeImage(images, entry.image))) return false;
      forget();
      return true;
    },
  };
}

function directoryCandidate({ directories }: CacheParts, { id, size, used }: KeptDirectory): Candidate {
  return { shown: id, size, used, remove: async () => directories.remove(id) };
}

/** False when a name, a container or another image needs it. */
async function removeImage(images: BuilderImages, image: Digest): Promise<boolean> {
  if (images.find(image)?.hidden) {
    await images.forgetCacheStep(image);
    return true;
  }
  if (images.references(image).length > 0 || images.children(image).length > 0) return false;
  try {
    await images.remove(image, { force: false, noPrune: true });
    return true;
  } catch (error) {
    if (["conflict", "not-found"].includes(errorKind(error))) return false;
    throw error;
  }
}
