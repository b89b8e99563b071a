/** Images that were made here in OCI's form: manifests that name layers as they are kept, uncompressed, and indexes of them. */
import { internal } from "../../../base/errors.ts";
import type { Bytes } from "../../../base/streams.ts";
import { type Digest, digestOf } from "../../../oci/digest.ts";
import { type Descriptor, type Manifest, mediaTypes } from "../../../oci/manifest.ts";
import { hostPlatform, matchesPlatform } from "../../../oci/platform.ts";
import type { NamedBlob } from "../archive/archived-image.ts";
import type { ImageContext } from "../context.ts";
import { type ImageRecord, platformOf } from "../image-record.ts";
import { type Attestation, attest } from "./attestation.ts";

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

export function encodeOci(
  mediaType: string,
  fields: Partial<Manifest> | { manifests: readonly Descriptor[] },
): NamedBlob {
  const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, mediaType, ...fields }));
  return { mediaType, digest: digestOf(bytes), bytes };
}

/** A part of an image as a store of content has it. */
export interface OciBlob {
  digest: Digest;
  size: number;
  open(signal: AbortSignal): Bytes | Uint8Array[];
}

/** All that images consist of, with their index if they have one. The last blob is the one that `top` describes. */
export function ociContents(
  context: ImageContext,
  images: readonly Digest[],
  index: BuiltIndex | undefined,
): { blobs: OciBlob[]; top: Descriptor } {
  const parts = images.map((id) => contentOf(context, id));
  const blobs = parts.flatMap((part) => part.blobs);
  const [only] = parts;
  if (!index && only) return { blobs, top: only.manifest };
  if (!index) throw internal("there is no image to describe");
  return { blobs: [...blobs, ...[...index.attestations, index.blob].map(toBlob)], top: describeBlob(index.blob) };
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

/** An image for an index, and what is said about it. */
export interface IndexedImage {
  image: Digest;
  attestation?: Attestation | undefined;
}

/** What a name of several platforms stands for, or of an image about which something is said. */
export interface BuiltIndex {
  blob: NamedBlob;
  /** The image that clients get who ask for no platform: this machine's, or the first. */
  image: Digest;
  /** What it names beside images. */
  attestations: NamedBlob[];
}

/** Keeps an index of images that are here. Under a hold, until a name leads to it. */
export async function createIndex(context: ImageContext, images: readonly IndexedImage[]): Promise<BuiltIndex> {
  const parts = images.map(({ image, attestation }) => {
    const manifest = ociManifest(context, context.store.get(image));
    const platform = platformOf(context.store.config(image));
    const attested = attestation && attest(manifest.digest, attestation);
    return { image, manifest, attested, entry: { ...describeBlob(manifest), platform } };
  });
  const attestations = parts.flatMap(({ attested }) => attested?.blobs ?? []);
  const blob = ociIndex([
    ...parts.map(({ entry }) => entry),
    ...parts.flatMap(({ attested }) => (attested ? [attested.entry] : [])),
  ]);
  for (const { bytes, mediaType } of [...parts.map(({ manifest }) => manifest), ...attestations, blob]) {
    await context.content.put(bytes, mediaType);
  }
  for (const { manifest, image } of parts) {
    context.store.manifests.add(blob.digest, { digest: manifest.digest, image });
  }
  const own = parts.find(({ entry }) => matchesPlatform(hostPlatform(), entry.platform)) ?? parts[0];
  return { blob, image: (own as { image: Digest }).image, attestations };
}
