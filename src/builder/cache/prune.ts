/** `docker builder prune`: forgets cached steps, and removes the images that only the cache needed. */
import type { Filters } from "../../api/system.ts";
import { errorKind } from "../../base/errors.ts";
import { untilFilter } from "../../engine/images/image-filters.ts";
import type { BuilderImages } from "../parts.ts";
import type { CacheEntry, StepCache } from "./step-cache.ts";

export interface CachePruneRequest {
  /** Also what images with a name were built from; their images stay, but the steps are forgotten. */
  all: boolean;
  /** Bytes of layers that may stay; 0: nothing. */
  keepStorage: number;
  filters: Filters;
}

export interface CachePruneResult {
  CachesDeleted: string[] | null;
  SpaceReclaimed: number;
}

export async function pruneCache(
  cache: StepCache,
  images: BuilderImages,
  request: CachePruneRequest,
): Promise<CachePruneResult> {
  const until = untilFilter(request.filters);
  const millis = until === undefined ? undefined : Number(until / 1_000_000n);
  const entries = cache.list();
  let candidates = entries.filter((entry) => matches(entry, request.filters, millis));
  let kept = entries.reduce((sum, entry) => sum + ownSize(images, entry), 0);
  const result = { CachesDeleted: [] as string[], SpaceReclaimed: 0 };
  // An image goes only after those made on top of it: each round takes the outermost ones.
  for (let before = -1; before !== candidates.length; ) {
    before = candidates.length;
    const left: CacheEntry[] = [];
    for (const entry of candidates) {
      if (request.keepStorage > 0 && kept <= request.keepStorage) break;
      const size = ownSize(images, entry);
      if (!(await removeImage(entry, images))) {
        left.push(entry);
        continue;
      }
      cache.forget(entry.key);
      result.CachesDeleted.push(shownKey(entry));
      kept -= size;
      result.SpaceReclaimed += size;
    }
    candidates = left;
  }
  if (request.all) {
    for (const entry of candidates) {
      cache.forget(entry.key);
      result.CachesDeleted.push(shownKey(entry));
    }
  }
  return { ...result, CachesDeleted: result.CachesDeleted.length > 0 ? result.CachesDeleted : null };
}

/** As long as BuildKit's ids. */
export function shownKey({ key }: Pick<CacheEntry, "key">): string {
  return key.replace("sha256:", "").slice(0, 25);
}

export function matches({ key, description, used }: CacheEntry, filters: Filters, until: number | undefined): boolean {
  if (until !== undefined && used > until) return false;
  const ids = filters["id"] ?? [];
  const words = filters["description"] ?? [];
  return (
    (ids.length === 0 || ids.some((id) => key.replace("sha256:", "").startsWith(id))) &&
    (words.length === 0 || words.some((word) => description.includes(word)))
  );
}

/** Bytes that the step itself added. */
export function ownSize(images: BuilderImages, { image }: CacheEntry): number {
  const record = images.find(image);
  if (record?.hidden) return images.topLayerSize(image);
  const parent = record?.parent === undefined ? undefined : images.find(record.parent);
  return record ? Math.max(0, record.size - (parent?.size ?? 0)) : 0;
}

/** False when a name, a container or another image needs it. */
async function removeImage({ image }: CacheEntry, images: BuilderImages): Promise<boolean> {
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
