/** `docker builder prune`: forgets cached steps and removes the images that only the cache needed, and directories that builds have left. */
import type { Filters } from "../../api/system.ts";
import { untilFilter } from "../../engine/images/image-filters.ts";
import { type CacheItem, type CacheParts, cacheItems } from "./items.ts";
import { dockerFilter, type RecordFilter } from "./record-filter.ts";

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

export async function pruneCache(parts: CacheParts, request: CachePruneRequest): Promise<CachePruneResult> {
  const until = untilFilter(request.filters);
  const millis = until === undefined ? Number.POSITIVE_INFINITY : Number(until / 1_000_000n);
  const matches = request.matches ?? dockerFilter(request.filters);
  const everything = cacheItems(parts);
  let candidates = everything.filter(({ record, used }) => matches(record) && used <= millis);
  let kept = everything.reduce((sum, { record }) => sum + record.Size, 0);
  const deleted: string[] = [];
  let reclaimed = 0;
  // An image goes only after those made on top of it: each round takes the outermost ones.
  for (let before = -1; before !== candidates.length; ) {
    before = candidates.length;
    const left: CacheItem[] = [];
    for (const item of candidates) {
      if (request.keepStorage > 0 && kept <= request.keepStorage) break;
      if (!(await item.remove())) {
        left.push(item);
        continue;
      }
      deleted.push(item.record.ID);
      kept -= item.record.Size;
      reclaimed += item.record.Size;
    }
    candidates = left;
  }
  for (const { record, forget } of request.all ? candidates : []) {
    if (!forget) continue;
    forget();
    deleted.push(record.ID);
  }
  return { CachesDeleted: deleted.length > 0 ? deleted : null, SpaceReclaimed: reclaimed };
}
