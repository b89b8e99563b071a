/**
 * An OCI image layout: index.json and blobs. Of an image for several platforms the one for this machine is taken.
 * https://github.com/opencontainers/image-spec/blob/main/image-layout.md
 */
import { invalidArgument, isNotFound, notFound } from "../../../base/errors.ts";
import { type Digest, digestOf, hexOf } from "../../../oci/digest.ts";
import { type Descriptor, type Index, isIndexType, type Manifest, parseManifest } from "../../../oci/manifest.ts";
import { formatPlatform, hostPlatform, matchesPlatform } from "../../../oci/platform.ts";
import { parseReference, type Reference } from "../../../oci/reference.ts";
import type { ArchivedImage } from "./archived-image.ts";
import type { ArchiveContents } from "./contents.ts";

/** An index inside an index inside an index … is an attack. */
const maxDepth = 4;

const nameAnnotations = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

export function describeLayout(contents: ArchiveContents): ArchivedImage[] {
  const parsed = parseManifest(contents.read("index.json"));
  if (!("index" in parsed)) throw invalidArgument("index.json is not an image index");
  const images = new Map<Digest, ArchivedImage>();
  let missing: unknown;
  for (const descriptor of parsed.index.manifests) {
    try {
      const { id, image } = describeImage(contents, descriptor);
      // Two descriptors of the same image are one image with two names.
      const known = images.get(id) ?? image;
      images.set(id, known);
      const name = nameOf(descriptor);
      if (name) known.tags.push(name);
    } catch (error) {
      // Attestations, and the other platforms of an image: passed over as long as something is left.
      if (!isNotFound(error)) throw error;
      missing = error;
    }
  }
  if (images.size === 0 && missing !== undefined) throw missing;
  return [...images.values()];
}

function describeImage(contents: ArchiveContents, descriptor: Descriptor): { id: Digest; image: ArchivedImage } {
  if (!runsHere(descriptor)) throw otherPlatform(descriptor);
  const { config, layers } = findManifest(contents, descriptor, 0);
  const bytes = readVerified(contents, config);
  return { id: config.digest, image: { config: { bytes }, layers: layers.map(blobName), tags: [] } };
}

function findManifest(contents: ArchiveContents, descriptor: Descriptor, depth: number): Manifest {
  const parsed = parseManifest(readVerified(contents, descriptor));
  if ("manifest" in parsed) return parsed.manifest;
  if (depth >= maxDepth) throw invalidArgument(`indexes are nested more than ${maxDepth} deep`);
  return findManifest(contents, chooseManifest(contents, parsed.index, descriptor), depth + 1);
}

function chooseManifest(contents: ArchiveContents, index: Index, parent: Descriptor): Descriptor {
  const suitable = index.manifests.filter((item) => runsHere(item) && contents.find(blobName(item)));
  const chosen = suitable.find((item) => item.platform) ?? suitable[0];
  if (!chosen) throw otherPlatform(parent);
  return chosen;
}

function runsHere(descriptor: Descriptor): boolean {
  if (!descriptor.platform || isIndexType(descriptor.mediaType)) return true;
  return matchesPlatform(hostPlatform(), descriptor.platform);
}

function otherPlatform(descriptor: Descriptor): Error {
  return notFound(`no image for platform ${formatPlatform(hostPlatform())} in the archive (${descriptor.digest})`);
}

function blobName(descriptor: Descriptor): string {
  return `blobs/${descriptor.digest.replace(":", "/")}`;
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
