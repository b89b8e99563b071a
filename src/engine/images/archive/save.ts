/**
 * `docker save`: images as Docker 25 and later write them, an OCI image layout that is a docker-archive too. Equal images give equal
 * bytes. Layers are streamed from the layer store; nothing is written to disk.
 */
import type { Bytes } from "../../../base/streams.ts";
import { type Digest, hexOf } from "../../../oci/digest.ts";
import { type Descriptor, mediaTypes } from "../../../oci/manifest.ts";
import { familiarName, familiarString, formatReference, type Reference } from "../../../oci/reference.ts";
import { type BuiltIndex, describeBlob, ociIndex, ociManifest } from "../builds/oci-manifest.ts";
import { type ImageContext, publishImageEvent } from "../context.ts";
import { createdNanos, type ImageRecord, platformOf } from "../image-record.ts";
import type { NamedBlob } from "./archived-image.ts";
import { selectImages } from "./select.ts";
import { tarDirectory, tarEnd, tarHeader, tarPadding } from "./tar-write.ts";

export interface SelectedImage {
  record: ImageRecord;
  tags: Reference[];
  /** Where a name has several platforms: all of them, with `record` as the one that clients get who know no indexes. */
  variants?: ImageRecord[];
  /** Their index, where there is one already. */
  index?: Pick<BuiltIndex, "blob" | "attestations">;
}

export interface SaveOptions {
  /** Only this platform of each name. */
  platform?: string | undefined;
  signal: AbortSignal;
}

interface Blob {
  size: number;
  /** Seconds since 1970. */
  mtime: number;
  content(): Bytes | Uint8Array[];
}

/** Throws `not-found` and `invalid-argument` at once, so that they can be a response's status; the stream comes after. */
export function saveImages(context: ImageContext, names: string[], options: SaveOptions): Bytes {
  return saveSelected(context, selectImages(context.store, names, options.platform), options);
}

/** As `saveImages`, with the names that the images have in the archive. */
export function saveSelected(
  context: ImageContext,
  images: SelectedImage[],
  options: Pick<SaveOptions, "signal">,
): Bytes {
  const hold = context.collector.hold();
  // A stream that nobody ever reads has no end: the request's has.
  options.signal.addEventListener("abort", () => hold[Symbol.dispose](), { once: true });
  try {
    const plan = planArchive(context, images, options.signal);
    return stream(context, images, plan, hold);
  } catch (error) {
    hold[Symbol.dispose]();
    throw error;
  }
}

interface Plan {
  blobs: Map<Digest, Blob>;
  /** Seconds since 1970, of the directories. */
  mtime: number;
  files: [name: string, content: Uint8Array][];
}

async function* stream(
  context: ImageContext,
  images: SelectedImage[],
  plan: Plan,
  hold: Disposable,
): AsyncGenerator<Uint8Array> {
  using _hold = hold;
  yield tarDirectory("blobs/", plan.mtime);
  yield tarDirectory("blobs/sha256/", plan.mtime);
  for (const digest of [...plan.blobs.keys()].sort()) {
    const blob = plan.blobs.get(digest) as Blob;
    yield tarHeader(`blobs/sha256/${hexOf(digest)}`, blob.size, blob.mtime);
    yield* blob.content();
    yield tarPadding(blob.size);
  }
  for (const [name, content] of plan.files) {
    yield tarHeader(name, content.length, 0);
    yield content;
    yield tarPadding(content.length);
  }
  yield tarEnd();
  for (const { record } of images) publishImageEvent(context, "save", record.id);
}

function planArchive(context: ImageContext, images: SelectedImage[], signal: AbortSignal): Plan {
  const blobs = new Map<Digest, Blob>();
  const manifests = images.map((image) => planName(context, image, blobs, signal));
  const index = manifests.flatMap(({ descriptor, tags }) =>
    tags.length === 0 ? [descriptor] : tags.map((tag) => ({ ...descriptor, annotations: annotationsOf(tag) })),
  );
  const files: Plan["files"] = [
    [
      "index.json",
      encode({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: index.length ? index : null }),
    ],
    ["manifest.json", encode(dockerManifest(context, images), "\n")],
    ["oci-layout", new TextEncoder().encode('{"imageLayoutVersion": "1.0.0"}')],
  ];
  const repositories = repositoriesOf(images);
  if (repositories) files.push(["repositories", encode(repositories, "\n")]);
  return { blobs, mtime: Math.max(0, ...images.map(({ record }) => secondsOf(record))), files };
}

function planName(
  context: ImageContext,
  { record, tags, variants = [], index }: SelectedImage,
  blobs: Map<Digest, Blob>,
  signal: AbortSignal,
): { descriptor: Descriptor; tags: Reference[] } {
  if (variants.length === 0) return { descriptor: planImage(context, record, blobs, signal), tags };
  const manifests = variants.map((variant) => ({
    ...planImage(context, variant, blobs, signal),
    platform: platformOf(context.store.config(variant.id)),
  }));
  for (const blob of index?.attestations ?? []) addBlob(blobs, blob);
  return { descriptor: addBlob(blobs, index?.blob ?? ociIndex(manifests)), tags };
}

function planImage(
  context: ImageContext,
  record: ImageRecord,
  blobs: Map<Digest, Blob>,
  signal: AbortSignal,
): Descriptor {
  const mtime = secondsOf(record);
  const config = context.store.configBytes(record.id);
  const add = (digest: Digest, blob: Blob) => blobs.has(digest) || blobs.set(digest, blob);
  add(record.id, { size: config.length, mtime, content: () => [config] });
  for (const diffId of record.layers) {
    const size = context.layers.tarSize(diffId);
    add(diffId, { size, mtime, content: () => context.layers.openTar(diffId, signal) });
  }
  return addBlob(blobs, ociManifest(context, record));
}

function addBlob(blobs: Map<Digest, Blob>, blob: NamedBlob): Descriptor {
  blobs.set(blob.digest, { size: blob.bytes.length, mtime: 0, content: () => [blob.bytes] });
  return describeBlob(blob);
}

/** manifest.json, which every Docker since 1.10 reads. */
function dockerManifest(context: ImageContext, images: SelectedImage[]): object[] | null {
  const saved = new Set(images.map(({ record }) => record.id));
  const items = images.map(({ record, tags }) => {
    const parent = savedAncestor(context, record, saved);
    return {
      Config: `blobs/sha256/${hexOf(record.id)}`,
      RepoTags: tags.length > 0 ? tags.map(familiarString) : null,
      Layers: record.layers.map((diffId) => `blobs/sha256/${hexOf(diffId)}`),
      ...(parent && { Parent: parent }),
      ...(record.layers.length > 0 && {
        LayerSources: Object.fromEntries(
          record.layers.map((diffId) => {
            const { mediaType, digest, size } = layerDescriptor(context, diffId);
            return [diffId, { mediaType, size, digest }];
          }),
        ),
      }),
    };
  });
  return items.length > 0 ? items : null;
}

function savedAncestor(context: ImageContext, record: ImageRecord, saved: Set<Digest>): Digest | undefined {
  for (let parent = record.parent; parent !== undefined; parent = context.store.find(parent)?.parent) {
    if (saved.has(parent)) return parent;
  }
  return undefined;
}

function layerDescriptor(context: ImageContext, diffId: Digest) {
  return { mediaType: mediaTypes.ociLayer, digest: diffId, size: context.layers.tarSize(diffId) };
}

function annotationsOf(tag: Reference): Record<string, string> {
  return {
    "io.containerd.image.name": formatReference(tag),
    "org.opencontainers.image.ref.name": tag.tag ?? "",
  };
}

/** repositories: name → tag → top layer. */
function repositoriesOf(images: SelectedImage[]): Record<string, Record<string, string>> | undefined {
  const repositories: Record<string, Record<string, string>> = {};
  for (const { record, tags } of images) {
    const top = record.layers.at(-1);
    if (top === undefined) continue;
    for (const tag of tags) {
      const name = familiarName(tag);
      repositories[name] = { ...repositories[name], [tag.tag ?? ""]: hexOf(top) };
    }
  }
  return Object.keys(repositories).length > 0 ? repositories : undefined;
}

/** What does not fit into a tar header (the year 1) is 0. */
function secondsOf(record: ImageRecord): number {
  return Math.max(0, Number(createdNanos(record) / 1_000_000_000n));
}

function encode(value: unknown, end = ""): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value) + end);
}
