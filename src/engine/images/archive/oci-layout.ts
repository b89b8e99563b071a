/**
 * An OCI image layout: index.json and blobs. Of an image for several platforms all that are in the archive are taken; without
 * `--platform` its name means the one for this machine.
 * https://github.com/opencontainers/image-spec/blob/main/image-layout.md
 */
import { invalidArgument, notFound } from "../../../base/errors.ts";
import { type Digest, digestOf, hexOf } from "../../../oci/digest.ts";
import { type Descriptor, isIndexType, type Manifest, parseManifest } from "../../../oci/manifest.ts";
import { formatPlatform, hostPlatform, matchesPlatform, type Platform } from "../../../oci/platform.ts";
import { parseReference, type Reference } from "../../../oci/reference.ts";
import type { ArchivedImage, NamedBlob } from "./archived-image.ts";
import type { ArchiveContents } from "./contents.ts";

/** An index inside an index inside an index … is an attack. */
const maxDepth = 4;

const nameAnnotations = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

interface Leaf {
  blob: NamedBlob;
  manifest: Manifest;
  platform: Platform | undefined;
}

/** `wanted`: only this platform. */
export function describeLayout(contents: ArchiveContents, wanted?: Platform): ArchivedImage[] {
  const images = new Map<Digest, ArchivedImage>();
  let missing: Error | undefined;
  for (const descriptor of layoutIndex(contents)) {
    const leaves = findLeaves(contents, descriptor).filter((leaf) => isComplete(contents, leaf, descriptor));
    const chosen = wanted
      ? leaves.filter(({ platform }) => platform && matchesPlatform(wanted, platform))
      : hostFirst(leaves);
    // Attestations, and the other platforms of an image: passed over as long as something is left.
    if (chosen.length === 0) missing = otherPlatform(descriptor, wanted);
    for (const [index, leaf] of chosen.entries()) addImage(contents, images, descriptor, leaf, index > 0);
  }
  if (images.size === 0 && missing !== undefined) throw missing;
  return [...images.values()];
}

/** True where the layout's names stand for indexes: a docker-archive beside it tells less. */
export function holdsIndexes(contents: ArchiveContents): boolean {
  return contents.find("index.json") !== undefined && layoutIndex(contents).some((item) => isIndexType(item.mediaType));
}

function layoutIndex(contents: ArchiveContents): Descriptor[] {
  const parsed = parseManifest(contents.read("index.json"));
  if (!("index" in parsed)) throw invalidArgument("index.json is not an image index");
  return parsed.index.manifests;
}

function addImage(
  contents: ArchiveContents,
  images: Map<Digest, ArchivedImage>,
  descriptor: Descriptor,
  { blob, manifest }: Leaf,
  variant: boolean,
): void {
  const { config, layers } = manifest;
  // Two descriptors of the same image are one image with two names.
  const known = images.get(config.digest);
  const image = known ?? {
    config: { bytes: readVerified(contents, config) },
    layers: layers.map(blobName),
    tags: [],
    ...(variant ? { variant } : {}),
  };
  images.set(config.digest, image);
  if (isIndexType(descriptor.mediaType))
    image.targets = [...(image.targets ?? []), { top: named(contents, descriptor), manifest: blob }];
  if (variant) return;
  delete image.variant;
  const name = nameOf(descriptor);
  if (name) image.tags.push(name);
}

/** The manifests below a descriptor that are in the archive. */
function findLeaves(contents: ArchiveContents, descriptor: Descriptor, depth = 0): Leaf[] {
  if (depth > maxDepth) throw invalidArgument(`indexes are nested more than ${maxDepth} deep`);
  // Only what the layout itself names must be there.
  if (depth > 0 && !contents.find(blobName(descriptor))) return [];
  const blob = named(contents, descriptor);
  const parsed = parseManifest(blob.bytes);
  if ("index" in parsed) return parsed.index.manifests.flatMap((item) => findLeaves(contents, item, depth + 1));
  return [
    { blob, manifest: parsed.manifest, platform: descriptor.platform ?? configPlatform(contents, parsed.manifest) },
  ];
}

/** What an index names need not be here as a whole. */
function isComplete(contents: ArchiveContents, { manifest, platform }: Leaf, top: Descriptor): boolean {
  if (platform?.os === "unknown") return false;
  if (!isIndexType(top.mediaType)) return true;
  const { config, layers } = manifest;
  return contents.find(blobName(config)) !== undefined && layers.every((layer) => contents.hasLayer(blobName(layer)));
}

function hostFirst(leaves: Leaf[]): Leaf[] {
  const own = leaves.find(({ platform }) => !platform || matchesPlatform(hostPlatform(), platform));
  return own ? [own, ...leaves.filter((leaf) => leaf !== own)] : leaves;
}

function configPlatform(contents: ArchiveContents, { config }: Manifest): Platform | undefined {
  const bytes = contents.find(blobName(config));
  if (!bytes) return undefined;
  try {
    const { os, architecture, variant } = JSON.parse(Buffer.from(bytes).toString()) as Partial<Platform>;
    return os && architecture ? { os, architecture, ...(variant ? { variant } : {}) } : undefined;
  } catch {
    return undefined; // Whoever reads it as a config says what is wrong with it.
  }
}

function otherPlatform(descriptor: Descriptor, wanted = hostPlatform()): Error {
  return notFound(`no image for platform ${formatPlatform(wanted)} in the archive (${descriptor.digest})`);
}

function blobName(descriptor: Descriptor): string {
  return `blobs/${descriptor.digest.replace(":", "/")}`;
}

function named(contents: ArchiveContents, descriptor: Descriptor): NamedBlob {
  const { mediaType, digest } = descriptor;
  return { mediaType, digest, bytes: readVerified(contents, descriptor) };
}

function readVerified(contents: ArchiveContents, descriptor: Descriptor): Uint8Array {
  const content = contents.read(blobName(descriptor));
  if (!descriptor.digest.startsWith("sha256:")) throw invalidArgument("unsupported digest algorithm");
  const actual = digestOf(content);
  if (actual === descriptor.digest) return content;
  throw invalidArgument(`blob sha256:${hexOf(descriptor.digest)} has digest ${actual}`);
}

/** A full name; a bare tag (`latest`), which the layout specification also allows, names nothing. */
function nameOf(descriptor: Descriptor): Reference | undefined {
  for (const annotation of nameAnnotations) {
    const name = descriptor.annotations?.[annotation];
    if (name === undefined || !/[:/]/.test(name)) continue;
    const reference = parseReference(name);
    if (reference.digest === undefined)
      return reference.tag === undefined ? { ...reference, tag: "latest" } : reference;
  }
  return undefined;
}
