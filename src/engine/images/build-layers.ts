/** What builds leave whose steps are layers, not images: records that keep layers for the cache alone, and the image in the end. */
import { nowRfc3339Nano } from "../../base/clock.ts";
import { internal } from "../../base/errors.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";
import { encodeImageConfig, type ImageConfig } from "../../oci/image-config.ts";
import { hostPlatform } from "../../oci/platform.ts";
import { type ImageContext, publishImageEvent } from "./context.ts";
import { toRecord } from "./image-record.ts";

/** An image that no listing shows and no name leads to: layers that a later build may find in its cache. Returns its id. */
export function createCacheStep(context: ImageContext, layers: readonly Digest[]): Promise<Digest> {
  const { os, architecture } = hostPlatform();
  const config: ImageConfig = {
    os,
    architecture,
    created: nowRfc3339Nano(),
    rootfs: { type: "layers", diff_ids: [...layers] },
  };
  return create(context, config, true);
}

/** Returns the image's id; the same config again is the same image. What was hidden and is wanted openly is hidden no more. */
export async function createBuilt(
  context: ImageContext,
  config: ImageConfig,
  { hidden }: { hidden: boolean },
): Promise<Digest> {
  const id = await create(context, config, hidden);
  if (hidden) return id;
  context.store.reveal(id);
  publishImageEvent(context, "create", id);
  return id;
}

async function create(context: ImageContext, config: ImageConfig, hidden: boolean): Promise<Digest> {
  const layers = config.rootfs.diff_ids;
  if (!layers.every((diffId) => context.layers.has(diffId))) throw internal("layer does not exist");
  const bytes = encodeImageConfig(config);
  const id = digestOf(bytes);
  const size = layers.reduce((sum, diffId) => sum + context.layers.get(diffId).size, 0);
  const record = toRecord(id, config, size);
  await context.store.create(hidden ? { ...record, hidden: true } : record, bytes);
  context.collector.release(layers.slice(-1));
  return id;
}
