/** Images that were made here in OCI's form: manifests that name layers as they are kept, uncompressed, and indexes of them. */
import type { Bytes } from "../../base/streams.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";
import { type Descriptor, type Manifest, mediaTypes } from "../../oci/manifest.ts";
import { hostPlatform, matchesPlatform } from "../../oci/platform.ts";
import type { NamedBlob } from "./archive/archived-image.ts";
import type { ImageContext } from "./context.ts";
import { type ImageRecord, platformOf } from "./image-record.ts";

export function ociManifest({ store, layers }: ImageContext, record: ImageRecord): NamedBlob {
  const config = { mediaType: mediaTypes.ociConfig, digest: record.id, size: store.configBytes(record.id).length };
  return encodeOci(mediaTypes.ociManifest, {
    config,
    layers: record.layers.map((diffId) => ({
      mediaType: mediaTypes.ociLayer,
      digest: diffId,
      size: layers.tarSize(diffId),
    })),
  });
}

export function ociIndex(manifests: readonly Descriptor[]): NamedBlob {
  return encodeOci(mediaTypes.ociIndex, { manifests });
}

export function describeBlob({ mediaType, digest, bytes }: NamedBlob): Descriptor {
  return { mediaType, digest, size: bytes.length };
}

function encodeOci(mediaType: string, fields: Partial<Manifest> | { manifests: readonly Descriptor[] }): NamedBlob {
  const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, mediaType, ...fields }));
  return { mediaType, digest: digestOf(bytes), bytes };
}

/** A part of an image as a store of content has it. */
export interface OciBlob {
  digest: Digest;
  size: number;
  open(signal: AbortSignal): Bytes | Uint8Array[];
}

/** All that images consist of; of several, with their index. The last blob is the one that `top` describes. */
export function ociContents(context: ImageContext, images: readonly Digest[]): { blobs: OciBlob[]; top: Descriptor } {
  const parts = images.map((id) => contentOf(context, id));
  const blobs = parts.flatMap((part) => part.blobs);
  const [only] = parts;
  if (only && parts.length === 1) return { blobs, top: only.manifest };
  const index = ociIndex(parts.map(({ manifest }) => manifest));
  return { blobs: [...blobs, toBlob(index)], top: describeBlob(index) };
}

function contentOf(context: ImageContext, id: Digest): { blobs: OciBlob[]; manifest: Descriptor } {
  const { store, layers } = context;
  const manifest = ociManifest(context, store.get(id));
  const config = store.configBytes(id);
  const blobs: OciBlob[] = [...new Set(store.get(id).layers)].map((digest) => ({
    digest,
    size: layers.tarSize(digest),
    open: (signal) => layers.openTar(digest, signal),
  }));
  blobs.push({ digest: id, size: config.length, open: () => [config] }, toBlob(manifest));
  return { blobs, manifest: { ...describeBlob(manifest), platform: platformOf(store.config(id)) } };
}

function toBlob({ digest, bytes }: NamedBlob): OciBlob {
  return { digest, size: bytes.length, open: () => [bytes] };
}

/** What a name of several platforms stands for. */
export interface BuiltIndex {
  digest: Digest;
  size: number;
  /** The image that clients get who ask for no platform: this machine's, or the first. */
  image: Digest;
}

/** Keeps an index of images that are here, one for each platform. Under a hold, until a name leads to it. */
export async function createIndex(context: ImageContext, images: readonly Digest[]): Promise<BuiltIndex> {
  const entries = await Promise.all(
    images.map(async (image) => {
      const manifest = ociManifest(context, context.store.get(image));
      await context.content.put(manifest.bytes, manifest.mediaType);
      return { ...describeBlob(manifest), platform: platformOf(context.store.config(image)), image };
    }),
  );
  const index = ociIndex(entries.map(({ image: _, ...descriptor }) => descriptor));
  await context.content.put(index.bytes, index.mediaType);
  for (const { digest, image } of entries) context.store.manifests.add(index.digest, { digest, image });
  const own = entries.find(({ platform }) => matchesPlatform(hostPlatform(), platform)) ?? entries[0];
  return { digest: index.digest, size: index.bytes.length, image: (own as { image: Digest }).image };
}
