/** Which images and tags the arguments of `docker save` mean. */
import { notFound } from "../../../base/errors.ts";
import {
  familiarName,
  formatReference,
  parseAnyReference,
  type Reference,
  repositoryOf,
} from "../../../oci/reference.ts";
import type { ImageRecord } from "../image-record.ts";
import type { ImageStore } from "../image-store.ts";
import { noSuchImage, resolveImage, variantsOf } from "../resolve.ts";
import type { SelectedImage } from "./save.ts";

/**
 * A repository without tag means all its tags; an id means the image without a name. Throws `not-found` in dockerd's words, which
 * for this route differ from the others.
 */
export function selectImages(store: ImageStore, names: string[], platform?: string): SelectedImage[] {
  const selected = new Map<string, SelectedImage>();
  for (const { record, tag } of names.flatMap((name) => selectName(store, name, platform))) {
    const variants = tag && !platform ? severalPlatforms(store, record, tag) : [];
    const key = [record, ...variants].map(({ id }) => id).join();
    const image = selected.get(key) ?? { record, tags: [], ...(variants.length > 0 ? { variants } : {}) };
    selected.set(key, image);
    if (!tag || image.tags.some((other) => formatReference(other) === formatReference(tag))) continue;
    image.tags.push(tag);
  }
  return [...selected.values()];
}

/** All platforms of a tag that are here, in the order of its index; none where there is but one. */
function severalPlatforms(store: ImageStore, record: ImageRecord, tag: Reference): ImageRecord[] {
  const variants = variantsOf(store, formatReference(tag));
  return variants.length > 1 && variants.some(({ id }) => id === record.id) ? variants : [];
}

function selectName(store: ImageStore, name: string, platform?: string): { record: ImageRecord; tag?: Reference }[] {
  const found = selectByName(store, name);
  if (!platform) return found;
  return found.map(({ tag }) => {
    const record = resolveImage(store, tag ? formatReference(tag) : name, platform);
    return tag ? { record, tag } : { record };
  });
}

function selectByName(store: ImageStore, name: string): { record: ImageRecord; tag?: Reference }[] {
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
