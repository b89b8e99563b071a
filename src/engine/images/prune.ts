/**
 * `docker image prune`: dangling images, or with `dangling=false` all that no container uses. One that a container uses keeps its last
 * name only, as with dockerd.
 */

import { labelsMatch } from "../../api/filters.ts";
import type { ImageDeleteItem, PruneImagesResponse } from "../../api/images.ts";
import type { Filters } from "../../api/system.ts";
import { errorKind } from "../../base/errors.ts";
import { chainIdsOf, type Digest, hexOf } from "../../oci/digest.ts";
import { formatReference } from "../../oci/reference.ts";
import type { ImageContext } from "./context.ts";
import { booleanFilter, checkFilterNames, untilFilter } from "./image-filters.ts";
import { createdNanos, type ImageRecord } from "./image-record.ts";
import { removeImage } from "./remove.ts";

const acceptedFilters = ["dangling", "label", "label!", "until"];

export async function pruneImages(context: ImageContext, filters: Filters): Promise<PruneImagesResponse> {
  checkFilterNames(filters, acceptedFilters);
  const danglingOnly = booleanFilter(filters, "dangling") ?? true;
  const until = untilFilter(filters);
  const { store } = context;
  const variants = store.manifests.variants();
  const candidates = store.list().filter((record) => {
    if (danglingOnly && variants.has(record.id)) return false;
    if (until !== undefined && createdNanos(record) > until) return false;
    return labelsMatch(filters, store.config(record.id).config?.Labels);
  });
  const sizes = chainSizes(context);
  const removed: ImageDeleteItem[] = [];
  for (const record of candidates) removed.push(...(await pruneOne(context, record, danglingOnly)));
  const partial = await dropBrokenPulls(context);
  const reclaimed = removed.reduce((sum, item) => sum + (sizes.get(item.Deleted ?? "") ?? 0), partial);
  context.events.publish({ type: "image", action: "prune", id: "", attributes: { reclaimed: String(reclaimed) } });
  return { ImagesDeleted: removed.length > 0 ? removed : null, SpaceReclaimed: reclaimed };
}

/** What is kept for pulls to go on with. Returns the bytes. */
async function dropBrokenPulls({ leases, layers, collector, downloads }: ImageContext): Promise<number> {
  const held = leases.held();
  const here = held.filter((diffId) => layers.has(diffId));
  const size = here.reduce((sum, diffId) => sum + layers.get(diffId).size, 0);
  leases.release(held);
  await collector.collect(held);
  const gone = here.every((diffId) => !layers.has(diffId));
  return (gone ? size : 0) + (await downloads.abandonPartial());
}

async function pruneOne(context: ImageContext, record: ImageRecord, danglingOnly: boolean): Promise<ImageDeleteItem[]> {
  const { store } = context;
  const references = store.references(record.id);
  // Gone already with a child, or needed by one.
  if (!store.find(record.id) || (references.length === 0 && store.children(record.id).length > 0)) return [];
  if (references.length > 0 && danglingOnly && references.some((reference) => reference.tag !== undefined)) return [];
  const names = references.length > 0 ? references.map(formatReference).sort() : [hexOf(record.id)];
  const removed: ImageDeleteItem[] = [];
  for (const name of names) removed.push(...(await tryRemove(context, name)));
  return removed;
}

/** An image, or a last name, that is in use stays; one that went since it was chosen is not an error. */
async function tryRemove(context: ImageContext, name: string): Promise<ImageDeleteItem[]> {
  try {
    return await removeImage(context, name, { force: false, noPrune: false });
  } catch (error) {
    if (errorKind(error) === "conflict" || errorKind(error) === "not-found") return [];
    throw error;
  }
}

function chainSizes(context: ImageContext): Map<Digest, number> {
  const sizes = new Map<Digest, number>();
  for (const record of context.store.list()) {
    for (const [at, chain] of chainIdsOf(record.layers).entries()) {
      if (!sizes.has(chain)) sizes.set(chain, context.layers.get(record.layers[at] as Digest).size);
    }
  }
  return sizes;
}
