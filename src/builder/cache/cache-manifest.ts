/**
 * A build's cache as it travels: in the config of an image (`gantry.cache.v0`), whose layers are those that the steps led to. Keys are made of
 * contents alone, so that another daemon finds what this one has built. BuildKit's own form (`moby.buildkit.cache.v0`) has keys that only
 * BuildKit can make.
 */
import { invalidArgument } from "../../base/errors.ts";
import { type Digest, isSha256 } from "../../oci/digest.ts";
import { asArray, asObject, asString, optional, parseJson } from "../../oci/json.ts";

export const cacheField = "gantry.cache.v0";

/** A step that a build has come to, done or found. */
export interface ReachedStep {
  key: string;
  description: string;
  /** The tree after it, base first. */
  layers: readonly Digest[];
}

/** As it is written: layers by their places in the config's list. */
export interface CacheManifest {
  records: { key: string; description: string; layers: number[] }[];
}

const maxConfig = 8 << 20;

/** `diffIds`: the image's layers; steps that need another one are left out. */
export function encodeCache(steps: readonly ReachedStep[], diffIds: readonly Digest[]): CacheManifest {
  const place = new Map(diffIds.map((diffId, index) => [diffId, index]));
  const records = new Map<string, CacheManifest["records"][number]>();
  for (const { key, description, layers } of steps) {
    const places = layers.map((diffId) => place.get(diffId));
    if (places.every((index) => index !== undefined)) records.set(key, { key, description, layers: places });
  }
  return { records: [...records.values()] };
}

/** Key → step, of an image's config; undefined: the image holds no cache. Throws for one that cannot be read. */
export function decodeCache(config: Uint8Array): Map<string, ReachedStep> | undefined {
  const object = asObject(parseJson(config, "image config", maxConfig), "image config");
  const cache = optional(object[cacheField], cacheField, asObject);
  if (!cache) return undefined;
  const diffIds = asArray(asObject(object["rootfs"], "rootfs")["diff_ids"], "rootfs.diff_ids").map((value) => {
    const diffId = asString(value, "rootfs.diff_ids");
    if (!isSha256(diffId)) throw invalidArgument(`invalid diff ID "${diffId}" in the cache's config`);
    return diffId;
  });
  const steps = asArray(cache["records"], `${cacheField}.records`).map((value): ReachedStep => {
    const record = asObject(value, `${cacheField}.records`);
    const layers = asArray(record["layers"], "layers").map((index) => {
      const diffId = typeof index === "number" ? diffIds[index] : undefined;
      if (diffId === undefined) throw invalidArgument(`the cache names a layer ${index} that it does not have`);
      return diffId;
    });
    const key = asString(record["key"], "key");
    return { key, description: optional(record["description"], "description", asString) ?? "", layers };
  });
  return new Map(steps.map((step) => [step.key, step]));
}
