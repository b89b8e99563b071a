/**
 * One image's blobs and manifest to one repository. Where the registry can have the very layers that a kept manifest names, it gets
 * that manifest byte for byte; otherwise one that names what was sent instead, in the same dialect.
 */
import { shortId } from "../../../base/ids.ts";
import { once } from "../../../base/streams.ts";
import { digestOf } from "../../../oci/digest.ts";
import { type Descriptor, type Manifest, mediaTypes } from "../../../oci/manifest.ts";
import type { NamedBlob } from "../archive/archived-image.ts";
import type { ImageRecord } from "../image-record.ts";
import type { LayerBlob } from "./layer-blobs.ts";
import { layerProgress, type Send } from "./progress.ts";
import { LayerPush, type PushTarget } from "./push-layer.ts";

export interface KeptManifest extends NamedBlob {
  manifest: Manifest;
}

export interface ManifestPushOptions {
  progress: Send;
  signal: AbortSignal;
}

/** Sends what the repository lacks; returns the manifest, which is the caller's to put. Without `kept` it is Docker's schema 2. */
export async function pushBlobs(
  target: PushTarget,
  record: ImageRecord,
  options: ManifestPushOptions,
  kept?: KeptManifest,
): Promise<NamedBlob> {
  const blobs = await pushLayers(target, record, options, kept);
  const bytes = target.context.store.configBytes(record.id);
  const config = { digest: record.id, size: bytes.length };
  if (!(await target.repository.hasBlob(record.id, options.signal))) {
    await target.repository.upload({ ...config, open: (at) => once(bytes.subarray(at)) }, options.signal);
  }
  const same = kept?.manifest.layers.every(({ digest }, index) => digest === blobs[index]?.digest);
  if (kept && same) return kept;
  return newManifest(kept?.mediaType ?? mediaTypes.dockerManifest, config, blobs);
}

/** The layers' blobs, base first. */
async function pushLayers(
  target: PushTarget,
  record: ImageRecord,
  { progress, signal: outer }: ManifestPushOptions,
  kept: KeptManifest | undefined,
): Promise<LayerBlob[]> {
  const failed = new AbortController();
  const signal = AbortSignal.any([outer, failed.signal]);
  // dockerd goes from the top down.
  const order = [...new Set(record.layers)].reverse();
  const listeners = order.map((diffId) => layerProgress(progress, shortId(diffId)));
  for (const tell of listeners) tell({ status: "Preparing" });
  try {
    const blobs = await Promise.all(
      order.map((diffId, index) => {
        const push = new LayerPush(target, listeners[index] as (typeof listeners)[number], signal);
        return push.run(diffId, kept?.manifest.layers[record.layers.indexOf(diffId)]);
      }),
    );
    return record.layers.map((diffId) => blobs[order.indexOf(diffId)] as LayerBlob);
  } catch (error) {
    failed.abort();
    throw error;
  }
}

/** As Go's `json.MarshalIndent(manifest, "", "   ")`, so that dockerd would give the same digest. */
function newManifest(mediaType: string, config: LayerBlob, layers: LayerBlob[]): NamedBlob {
  const oci = mediaType === mediaTypes.ociManifest;
  const describe = (type: string, { size, digest }: LayerBlob): Descriptor => ({ mediaType: type, size, digest });
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: describe(oci ? mediaTypes.ociConfig : mediaTypes.dockerConfig, config),
    layers: layers.map((layer) => describe(oci ? mediaTypes.ociLayerGzip : mediaTypes.dockerLayerGzip, layer)),
  };
  const bytes = Buffer.from(JSON.stringify(manifest, undefined, 3));
  return { mediaType, digest: digestOf(bytes), bytes };
}
