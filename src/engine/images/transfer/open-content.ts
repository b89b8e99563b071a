/** Images in a store of content by digest that is somebody else's: an OCI layout of a client's. What is read is verified. */
import { invalidArgument, notFound } from "../../../base/errors.ts";
import { type Bytes, collect } from "../../../base/streams.ts";
import { type Digest, digestOf } from "../../../oci/digest.ts";
import { maxConfigSize, parseImageConfig } from "../../../oci/image-config.ts";
import { maxManifestSize } from "../../../oci/manifest.ts";
import type { Platform } from "../../../oci/platform.ts";
import type { ImageContext } from "../context.ts";
import { descend } from "./pull.ts";
import type { OpenImage } from "./unnamed.ts";

export interface ContentReader {
  read(digest: Digest, signal: AbortSignal): Bytes;
}

/** The image that a manifest or an index stands for, of which only the config has come. */
export async function openContentImage(
  context: ImageContext,
  content: ContentReader,
  { digest, platform, signal }: { digest: Digest; platform: Platform; signal: AbortSignal },
): Promise<OpenImage> {
  const verified = async (wanted: Digest, limit: number) => {
    const bytes = await collect(content.read(wanted, signal), limit);
    const actual = digestOf(bytes);
    if (actual !== wanted) throw invalidArgument(`blob ${wanted} has digest ${actual}`);
    return bytes;
  };
  const read = async (wanted: Digest) => ({ bytes: await verified(wanted, maxManifestSize) });
  const { manifest } = await descend(await read(digest), platform, read);
  const config = await verified(manifest.config.digest, maxConfigSize);
  const { diff_ids: diffIds } = parseImageConfig(config).rootfs;
  return {
    config,
    async fetch(layers) {
      for (const diffId of layers) {
        if (context.layers.has(diffId)) continue;
        const blob = manifest.layers[diffIds.indexOf(diffId)];
        if (!blob) throw notFound(`the image ${digest} has no layer ${diffId}`);
        await context.layers.unpack(content.read(blob.digest, signal), { expected: diffId, signal });
      }
    },
  };
}
