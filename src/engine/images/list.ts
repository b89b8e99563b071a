/** `docker images`: summaries, filtered and newest first. */

import { labelsMatch } from "../../api/filters.ts";
import type { ImageSummary } from "../../api/images.ts";
import type { Filters } from "../../api/system.ts";
import { chainIdsOf, type Digest } from "../../oci/digest.ts";
import { familiarName, familiarString, type Reference } from "../../oci/reference.ts";
import type { ImageContext } from "./context.ts";
import { booleanFilter, checkFilterNames, matchPath, untilFilter } from "./image-filters.ts";
import { createdNanos, type ImageRecord } from "./image-record.ts";
import { manifestsOf } from "./manifest-list.ts";
import { resolveImage } from "./resolve.ts";

export interface ListOptions {
  all: boolean;
  digests: boolean;
  sharedSize: boolean;
  filters: Filters;
  /** With the number of containers of each image. */
  counted?: boolean;
  /** With the manifests of each image. */
  manifests?: boolean;
}

const acceptedFilters = ["dangling", "label", "before", "since", "reference", "until"];

export function listImages(context: ImageContext, options: ListOptions): ImageSummary[] {
  const { store } = context;
  const { filters } = options;
  checkFilterNames(filters, acceptedFilters);
  const dangling = booleanFilter(filters, "dangling");
  const matchesTime = timeFilter(context, filters);
  const references = store.allReferences();
  const parents = store.parents();
  const variants = store.manifests.variants();
  const shared = options.sharedSize ? sharedSizes(context) : undefined;
  const summaries: ImageSummary[] = [];
  for (const record of store.list()) {
    // Other platforms of a name: their name's row stands for them.
    const variant = variants.has(record.id);
    if (variant && (!options.all || dangling === true)) continue;
    if (!matchesTime(record)) continue;
    if (filters["label"] && !labelsMatch(filters, store.config(record.id).config?.Labels)) continue;
    const own = references.get(record.id) ?? [];
    const all = variant ? store.variantReferences(record.id).filter((name) => name.digest !== undefined) : own;
    const shown = filters["reference"] ? all.filter((name) => matchesAny(filters["reference"] ?? [], name)) : all;
    if (shown.length === 0) {
      const intermediate = !options.all && parents.has(record.id);
      if (filters["reference"] || intermediate || dangling === false) continue;
    } else if (dangling === true && shown.some((name) => name.tag !== undefined)) continue;
    const shownSize = shared?.get(record.id) ?? -1;
    const containers = options.counted ? context.usage().usingImage(record.id).length : -1;
    const summary = { ...toSummary(context, record, shown), SharedSize: shownSize, Containers: containers };
    summaries.push(options.manifests ? { ...summary, ...manifestsOf(context, record, shown) } : summary);
  }
  return summaries;
}

/** What is not counted is -1. */
function toSummary(context: ImageContext, record: ImageRecord, names: Reference[]): ImageSummary {
  const labels = context.store.config(record.id).config?.Labels;
  return {
    Id: record.id,
    ParentId: record.parent ?? "",
    RepoTags: names.filter((name) => name.tag !== undefined).map(familiarString),
    RepoDigests: names.filter((name) => name.digest !== undefined).map(familiarString),
    Created: Number(createdNanos(record) / 1_000_000_000n),
    Size: record.size,
    SharedSize: -1,
    Labels: labels && Object.keys(labels).length > 0 ? labels : null,
    Containers: -1,
  };
}

function timeFilter(context: ImageContext, filters: Filters): (record: ImageRecord) => boolean {
  const createdOf = (name: string) => createdNanos(resolveImage(context.store, name));
  // Of several values each counts; of prune's `until` there may be only one.
  const ends = [
    ...(filters["before"] ?? []).map(createdOf),
    ...(filters["until"] ?? []).flatMap((value) => untilFilter({ until: [value] }) ?? []),
  ];
  const starts = (filters["since"] ?? []).map(createdOf);
  return (record) => {
    const created = createdNanos(record);
    return ends.every((end) => created < end) && starts.every((start) => created > start);
  };
}

/** Reference patterns match the whole familiar name, or the part before the tag. */
function matchesAny(patterns: string[], name: Reference): boolean {
  return patterns.some((pattern) => matchPath(pattern, familiarString(name)) || matchPath(pattern, familiarName(name)));
}

/** Bytes of each image's layers that another image stands on too. */
export function sharedSizes(context: ImageContext): Map<Digest, number> {
  const records = context.store.list();
  const users = new Map<Digest, number>();
  for (const record of records)
    for (const chain of chainIdsOf(record.layers)) users.set(chain, (users.get(chain) ?? 0) + 1);
  return new Map(
    records.map((record) => {
      const chains = chainIdsOf(record.layers);
      const sizes = record.layers.map((diffId, at) =>
        (users.get(chains[at] as Digest) ?? 0) > 1 ? context.layers.get(diffId).size : 0,
      );
      return [record.id, sizes.reduce((sum, size) => sum + size, 0)];
    }),
  );
}
