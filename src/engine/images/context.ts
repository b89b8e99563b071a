/** What the image operations share. Built once by `Images`; each operation is a function over it in a file of its own. */
import { internal } from "../../base/errors.ts";
import type { ContentStore } from "../../content/content.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";
import { encodeImageConfig, type ImageConfig } from "../../oci/image-config.ts";
import { familiarString, type Reference } from "../../oci/reference.ts";
import type { Registries } from "../../remote/registries.ts";
import type { LayerStore } from "../../snapshots/layer-store.ts";
import { type ImageRecord, toRecord } from "./image-record.ts";
import type { ImageStore } from "./image-store.ts";
import type { LayerCollector } from "./layer-collector.ts";
import type { Downloads } from "./transfer/downloads.ts";
import type { LayerBlobs } from "./transfer/layer-blobs.ts";
import type { LayerLeases } from "./transfer/layer-leases.ts";
import type { Uploads } from "./transfer/uploads.ts";

export interface EventSink {
  publish(event: { type: string; action: string; id: string; attributes?: Record<string, string> }): void;
}

/** What images must know of containers, which are built after them. */
export interface ContainerUsage {
  /** Containers that were created from this image. */
  usingImage(id: Digest): { id: string; name: string; running: boolean }[];
  /** Ids of containers that mount this image. */
  mountingImage(id: Digest): string[];
  /** The layers that each container's root stands on, whether their image still exists or not. */
  layersInUse(): Iterable<readonly Digest[]>;
}

export interface ImageContext {
  readonly store: ImageStore;
  readonly content: ContentStore;
  readonly layers: LayerStore;
  readonly collector: LayerCollector;
  readonly events: EventSink;
  readonly registries: Registries;
  readonly blobs: LayerBlobs;
  readonly leases: LayerLeases;
  readonly downloads: Downloads;
  readonly uploads: Uploads;
  usage(): ContainerUsage;
  /** A directory for archives on their way in, on the disk of the layers; emptied at start. */
  readonly spoolDirectory: string;
  /** `docker_version` of the configs that are written. */
  readonly version: string;
}

/** A config becomes an image of layers that are here, under a hold; its id. The same config again is the same image. */
export async function createImage(
  { layers, store }: ImageContext,
  config: ImageConfig,
  more: Pick<ImageRecord, "parent" | "hidden"> = {},
): Promise<Digest> {
  const diffIds = config.rootfs.diff_ids;
  if (!diffIds.every((diffId) => layers.has(diffId))) throw internal("layer does not exist");
  const bytes = encodeImageConfig(config);
  const id = digestOf(bytes);
  const size = diffIds.reduce((sum, diffId) => sum + layers.get(diffId).size, 0);
  await store.create({ ...toRecord(id, config, size), ...more }, bytes);
  return id;
}

/** An event of an image, with its labels as attributes. `name` is what dockerd puts there: mostly the id again. */
export function publishImageEvent(context: ImageContext, action: string, id: Digest, name: string = id): void {
  const labels = context.store.find(id) ? context.store.config(id).config?.Labels : undefined;
  context.events.publish({ type: "image", action, id, attributes: { ...labels, name } });
}

/** Gives a name to an image, with dockerd's event. Returns the image that had it before. */
export function tagImage(
  context: ImageContext,
  reference: Reference,
  id: Digest,
  now: string,
  target?: Digest,
): Digest | undefined {
  const previous = context.store.setReference(reference, id, target);
  context.store.update(id, { lastTagged: now });
  publishImageEvent(context, "tag", id, familiarString(reference));
  return previous;
}
