/** Which images and tags the arguments of `docker save` mean. */
import { notFound } from "../../../base/errors.ts";
import type { Digest } from "../../../oci/digest.ts";
import {
  familiarName,
  formatReference,
  parseAnyReference,
  type Reference,
  repositoryOf,
} from "../../../oci/reference.ts";
import type { ImageRecord } from "../image-record.ts";
import type { ImageStore } from "../image-store.ts";
import { noSuchImage } from "../resolve.ts";
import type { SelectedImage } from "./save.ts";

/**
 * A repository without tag means all its tags; an id means the image without a name. Throws `not-found` in dockerd's words, which
 * for this route differ from the others.
 */
export function selectImages(store: ImageStore, names: string[]): SelectedImage[] {
  const selected = new Map<Digest, SelectedImage>();
  for (const { record, tag } of names.flatMap((name) => selectName(store, name))) {
    const image = selected.get(record.id) ?? { record, tags: [] };
    selected.set(record.id, image);
    if (!tag || image.tags.some((other) => formatReference(other) === formatReference(tag))) continue;
    image.tags.push(tag);
  }
  return [...selected.values()];
}

function selectName(store: ImageStore, name: string): { record: ImageRecord; tag?: Reference }[] {
  const parsed = parseAnyReference(name);
  if ("id" in parsed) {
    const record = store.find(parsed.id);
    if (!record) throw noSuchImage(parsed.id);
    return [{ record }];
  }
  const { reference } = parsed;
  const nameOnly = reference.tag === undefined && reference.digest === undefined;
  const tags = nameOnly ? store.tagsOf(repositoryOf(reference)) : [];
  if (tags.length > 0) return tags.map((tag) => ({ record: store.get(tag.image), tag: tag.reference }));
  if (nameOnly || familiarName(reference) === "sha256") {
    const record = store.lookup(name);
    if (!record) throw notFound(`No such image: ${name}`);
    return [{ record }];
  }
  const id = store.findByReference(reference);
  if (id === undefined) throw notFound("reference does not exist");
  const record = store.get(id);
  return [reference.digest === undefined ? { record, tag: reference } : { record }];
}
