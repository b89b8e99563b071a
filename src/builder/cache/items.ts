/** What the build cache consists of, as one list: the results of steps, and directories that builds have left. */
import { errorKind } from "../../base/errors.ts";
import type { Digest } from "../../oci/digest.ts";
import type { BuilderImages } from "../parts.ts";
import type { KeptDirectories, KeptType } from "./kept-directories.ts";
import type { CacheEntry, StepCache } from "./step-cache.ts";

/** As `docker system df -v` shows it. Source: Docker Engine API, "Get data usage information", BuildCache. */
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

export interface CacheItem {
  record: CacheRecord;
  /** Milliseconds since 1970. */
  used: number;
  /** False when something else needs it. */
  remove(): Promise<boolean>;
  /** It stays, but no build finds it any more. */
  forget?(): void;
}

export interface CacheParts {
  steps: StepCache;
  directories: KeptDirectories;
  images: BuilderImages;
}

/** Least recently used first. */
export function cacheItems(parts: CacheParts): CacheItem[] {
  return [...stepItems(parts), ...directoryItems(parts)].toSorted((a, b) => a.used - b.used);
}

function stepItems({ steps, images }: CacheParts): CacheItem[] {
  const entries = steps.list();
  const named = images.records().filter(({ id }) => images.references(id).length > 0);
  const shared = new Set(named.flatMap(({ layers }) => layers));
  const byImage = new Map(entries.map((entry) => [entry.image, entry]));
  return entries.map((entry) => {
    const image = images.find(entry.image);
    const parent = image?.parent === undefined ? undefined : byImage.get(image.parent);
    const layer = image?.layers.at(-1);
    const forget = () => steps.forget(entry.key);
    return {
      record: {
        ID: shownKey(entry),
        Parents: parent ? [shownKey(parent)] : null,
        Type: "regular",
        Description: entry.description,
        InUse: steps.isRunning(entry.key),
        Shared: layer !== undefined && shared.has(layer),
        Size: ownSize(images, entry),
        ...usage(entry),
      },
      used: entry.used,
      forget,
      async remove() {
        if (!(await removeImage(images, entry.image))) return false;
        forget();
        return true;
      },
    };
  });
}

function directoryItems({ directories }: CacheParts): CacheItem[] {
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
    remove: async () => directories.remove(directory.id),
  }));
}

/** As long as BuildKit's ids. */
function shownKey({ key }: Pick<CacheEntry, "key">): string {
  return key.replace("sha256:", "").slice(0, 25);
}

function usage({ created, used, uses }: { created: number; used: number; uses: number }) {
  return {
    CreatedAt: new Date(created).toISOString(),
    LastUsedAt: uses === 0 ? null : new Date(used).toISOString(),
    UsageCount: uses,
  };
}

/** Bytes that the step itself added. */
function ownSize(images: BuilderImages, { image }: CacheEntry): number {
  const record = images.find(image);
  if (record?.hidden) return images.topLayerSize(image);
  const parent = record?.parent === undefined ? undefined : images.find(record.parent);
  return record ? Math.max(0, record.size - (parent?.size ?? 0)) : 0;
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
