/** The build cache as `docker system df -v` shows it. Source: Docker Engine API, "Get data usage information", BuildCache. */
import type { BuilderImages } from "../parts.ts";
import type { KeptDirectories, KeptType } from "./kept-directories.ts";
import { ownSize, shownKey } from "./prune.ts";
import type { StepCache } from "./step-cache.ts";

export interface CacheRecord {
  ID: string;
  Parents: string[] | null;
  Type: "regular" | KeptType;
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

/** What is cached: the results of steps, and directories. */
export interface CacheParts {
  steps: StepCache;
  directories: KeptDirectories;
  images: BuilderImages;
}

/** Least recently used first. */
export function cacheRecords(parts: CacheParts): CacheRecord[] {
  return [...stepRecords(parts), ...directoryRecords(parts)]
    .toSorted((a, b) => a.used - b.used)
    .map(({ record }) => record);
}

interface Dated {
  record: CacheRecord;
  used: number;
}

function stepRecords({ steps, images }: CacheParts): Dated[] {
  const entries = steps.list();
  const named = images.records().filter(({ id }) => images.references(id).length > 0);
  const shared = new Set(named.flatMap(({ layers }) => layers));
  const byImage = new Map(entries.map((entry) => [entry.image, entry]));
  return entries.map((entry) => {
    const image = images.find(entry.image);
    const parent = image?.parent === undefined ? undefined : byImage.get(image.parent);
    const layer = image?.layers.at(-1);
    const record: CacheRecord = {
      ID: shownKey(entry),
      Parents: parent ? [shownKey(parent)] : null,
      Type: "regular",
      Description: entry.description,
      InUse: steps.isRunning(entry.key),
      Shared: layer !== undefined && shared.has(layer),
      Size: ownSize(images, entry),
      ...usage(entry),
    };
    return { record, used: entry.used };
  });
}

function directoryRecords({ directories }: CacheParts): Dated[] {
  return directories.list().map((directory) => ({
    record: {
      ID: directory.id,
      Parents: null,
      Type: directory.type,
      Description: directory.description,
      InUse: directory.inUse,
      Shared: false,
      Size: directory.size,
      ...usage(directory),
    },
    used: directory.used,
  }));
}

function usage({ created, used, uses }: { created: number; used: number; uses: number }) {
  return {
    CreatedAt: new Date(created).toISOString(),
    LastUsedAt: uses === 0 ? null : new Date(used).toISOString(),
    UsageCount: uses,
  };
}
