/** The build cache as `docker system df -v` shows it. Source: Docker Engine API, "Get data usage information", BuildCache. */
import type { Filters } from "../../api/system.ts";
import type { BuilderImages } from "../parts.ts";
import { matches, ownSize, shownKey } from "./prune.ts";
import type { StepCache } from "./step-cache.ts";

export interface CacheRecord {
  ID: string;
  Parents: string[] | null;
  Type: "regular";
  Description: string;
  /** A build is using it. */
  InUse: boolean;
  /** Its files are an image's as well: they are counted there. */
  Shared: boolean;
  Size: number;
  CreatedAt: string;
  LastUsedAt: string | null;
  UsageCount: number;
}

/** Those that the filters of `builder prune` leave, least recently used first. */
export function cacheRecords(cache: StepCache, images: BuilderImages, filters: Filters = {}): CacheRecord[] {
  const entries = cache.list();
  const named = images.records().filter(({ id }) => images.references(id).length > 0);
  const shared = new Set(named.flatMap(({ layers }) => layers));
  const byImage = new Map(entries.map((entry) => [entry.image, entry]));
  const listed = entries.filter((entry) => matches(entry, filters, undefined));
  return listed.map((entry) => {
    const record = images.find(entry.image);
    const parent = record?.parent === undefined ? undefined : byImage.get(record.parent);
    const layer = record?.layers.at(-1);
    return {
      ID: shownKey(entry),
      Parents: parent ? [shownKey(parent)] : null,
      Type: "regular",
      Description: entry.description,
      InUse: cache.isRunning(entry.key),
      Shared: layer !== undefined && shared.has(layer),
      Size: ownSize(images, entry),
      CreatedAt: new Date(entry.created).toISOString(),
      LastUsedAt: entry.uses === 0 ? null : new Date(entry.used).toISOString(),
      UsageCount: entry.uses,
    };
  });
}
