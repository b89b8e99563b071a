/** What builds leave whose steps are layers, not images: records that keep layers for the cache alone, and the image in the end. */
import { nowRfc3339Nano } from "../../../base/clock.ts";
import type { Digest } from "../../../oci/digest.ts";
import type { ImageConfig } from "../../../oci/image-config.ts";
import { hostPlatform } from "../../../oci/platform.ts";
import { createImage, type ImageContext, publishImageEvent } from "../context.ts";

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
  const id = await createImage(context, config, hidden ? { hidden } : {});
  context.collector.release(config.rootfs.diff_ids.slice(-1));
  return id;
}
