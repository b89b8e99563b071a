/** `docker build --squash`: an image of one layer over its base. moby: daemon/images/image_squash.go */
import { nowRfc3339Nano } from "../../../base/clock.ts";
import type { Digest } from "../../../oci/digest.ts";
import type { ImageConfig } from "../../../oci/image-config.ts";
import { emptyLayer } from "../commit.ts";
import { createImage, type ImageContext } from "../context.ts";

export interface SquashRequest {
  image: Digest;
  /** What the image stands on; undefined: nothing. */
  base: Digest | undefined;
  /** What the image has other than its base, already in the layer store, under a hold. */
  layer: Digest;
}

/** Returns the new image's id. The history keeps the steps; the last line says what became of their layers. */
export async function squashImage(context: ImageContext, { image, base, layer }: SquashRequest): Promise<Digest> {
  const config = context.store.config(image);
  const below: ImageConfig | undefined = base === undefined ? undefined : context.store.config(base);
  const inherited = below?.history?.length ?? 0;
  const created = nowRfc3339Nano();
  const comment = base === undefined ? `create new from ${image}` : `merge ${image} to ${base}`;
  const history = (config.history ?? []).map((entry, at) => (at < inherited ? entry : { ...entry, empty_layer: true }));
  const id = await createImage(context, {
    ...config,
    created,
    history: [...history, { created, comment }],
    rootfs: {
      type: "layers",
      diff_ids: [...(below?.rootfs.diff_ids ?? []), ...(layer === emptyLayer ? [] : [layer])],
    },
  });
  context.collector.release([layer]);
  return id;
}
