/** From a name, id or unique id prefix to an image, with dockerd's words for what is not there. */
import { type EngineError, errorKind, notFound } from "../../base/errors.ts";
import type { Digest } from "../../oci/digest.ts";
import { formatPlatform, hostPlatform, matchesPlatform, type Platform, parsePlatform } from "../../oci/platform.ts";
import { familiarString, parseAnyReference, type Reference, withDefaultTag } from "../../oci/reference.ts";
import { type ImageRecord, platformOf } from "./image-record.ts";
import type { ImageStore } from "./image-store.ts";

/** Throws `invalid-argument` for what cannot be a name, `not-found` for an image (or platform of it) that is not here. */
export function resolveImage(store: ImageStore, name: string, platform?: string): ImageRecord {
  const record = resolveAnyPlatform(store, name);
  if (platform === undefined || platform === "") return record;
  const wanted = parsePlatform(platform);
  const offered = platformOf(store.config(record.id));
  const variant = chooseVariant(store, [record, ...variantsOf(store, name)], wanted);
  if (variant) return variant;
  throw notFound(
    `image with reference ${name} was found but its platform (${formatPlatform(offered)}) does not match the specified platform (${formatPlatform(wanted)})`,
  );
}

/** The manifest or index that a name stands for; undefined for ids, and for images that were made here. */
export function targetOf(store: ImageStore, name: string): Digest | undefined {
  const parsed = parseAnyReference(name);
  if ("id" in parsed || store.findByReference(parsed.reference) === undefined) return undefined;
  return store.targetOf(parsed.reference);
}

/** The images that a name leads to, one per platform that is here. */
export function variantsOf(store: ImageStore, name: string): ImageRecord[] {
  const target = targetOf(store, name);
  if (target === undefined) return [];
  return store.manifests.of(target).flatMap(({ image }) => store.find(image) ?? []);
}

/** The very variant before one that will do. */
function chooseVariant(store: ImageStore, records: ImageRecord[], wanted: Platform): ImageRecord | undefined {
  const suitable = records.filter((record) => matchesPlatform(wanted, platformOf(store.config(record.id))));
  return suitable.find((record) => platformOf(store.config(record.id)).variant === wanted.variant) ?? suitable[0];
}

function resolveAnyPlatform(store: ImageStore, name: string): ImageRecord {
  const parsed = parseAnyReference(name);
  if ("id" in parsed) {
    const record = store.find(parsed.id) ?? ofIndex(store, parsed.id);
    if (!record) throw noSuchImage(parsed.id);
    return record;
  }
  const id = store.findByReference(parsed.reference);
  const record = id === undefined ? store.lookup(name) : store.find(id);
  if (!record) throw noSuchImage(parsed.reference);
  return record;
}

/** Indexes that were built here have no name with their digest. */
function ofIndex(store: ImageStore, digest: Digest): ImageRecord | undefined {
  const images = store.manifests.of(digest).flatMap(({ image }) => store.find(image) ?? []);
  return images.find((image) => matchesPlatform(hostPlatform(), platformOf(store.config(image.id)))) ?? images[0];
}

/** True when the text names this image by (the beginning of) its id, not by a tag. */
export function isIdPrefix(id: Digest, text: string): boolean {
  return id.startsWith(text) || id.slice(id.indexOf(":") + 1).startsWith(text);
}

export function noSuchImage(reference: Reference | Digest): EngineError {
  const shown = typeof reference === "string" ? reference : familiarString(withDefaultTag(reference));
  return notFound(`No such image: ${shown}`);
}

/** As `resolveImage`, but undefined for an image that is not here. */
export function findImage(store: ImageStore, name: string): ImageRecord | undefined {
  try {
    return resolveImage(store, name);
  } catch (error) {
    if (errorKind(error) === "not-found") return undefined;
    throw error;
  }
}
