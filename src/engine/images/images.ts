/** The engine's images: what the API asks for (`ImageBackend`), and what containers, the builder and the registry client need. */
import { rm } from "node:fs/promises";
import type { ContainerConfig } from "../../api/container-config.ts";
import type {
  ImageDeleteItem,
  ImageHistoryItem,
  ImageInspect,
  ImageSummary,
  PruneImagesResponse,
} from "../../api/images.ts";
import type { Filters } from "../../api/system.ts";
import { nowRfc3339Nano } from "../../base/clock.ts";
import { invalidArgument } from "../../base/errors.ts";
import type { Bytes } from "../../base/streams.ts";
import type { ContentStore } from "../../content/content.ts";
import type { Database } from "../../metadata/database.ts";
import type { Digest } from "../../oci/digest.ts";
import type { ImageConfig } from "../../oci/image-config.ts";
import type { Descriptor } from "../../oci/manifest.ts";
import { type Reference, withDefaultTag } from "../../oci/reference.ts";
import type { Registries } from "../../remote/registries.ts";
import type { LayerStore } from "../../snapshots/layer-store.ts";
import { type LoadOptions, loadImages } from "./archive/load.ts";
import { saveImages, saveSelected } from "./archive/save.ts";
import { createBuilt, createCacheStep } from "./builds/build-layers.ts";
import { type BuildStepRequest, createBuildStep } from "./builds/build-step.ts";
import { type BuiltIndex, createIndex, type IndexedImage, type OciBlob, ociContents } from "./builds/oci-manifest.ts";
import { type SquashRequest, squashImage } from "./builds/squash.ts";
import { bundledPull } from "./bundled/pull.ts";
import { type CommitRequest, checkCommit, commitImage } from "./commit.ts";
import { type ContainerUsage, type EventSink, type ImageContext, tagImage } from "./context.ts";
import type { ImageRecord } from "./image-record.ts";
import { ImageStore } from "./image-store.ts";
import { type ImportOptions, importImage, targetReference } from "./import.ts";
import { imageHistory, inspectImage } from "./inspect.ts";
import { LayerCollector } from "./layer-collector.ts";
import { type ListOptions, listImages } from "./list.ts";
import { pruneImages } from "./prune.ts";
import { type RemoveOptions, removeImage } from "./remove.ts";
import { resolveImage, targetOf } from "./resolve.ts";
import { Downloads } from "./transfer/downloads.ts";
import { LayerBlobs } from "./transfer/layer-blobs.ts";
import { LayerLeases } from "./transfer/layer-leases.ts";
import { type ContentReader, openContentImage } from "./transfer/open-content.ts";
import { type PullOptions, pullImage } from "./transfer/pull.ts";
import { type PushOptions, pushImage } from "./transfer/push.ts";
import {
  type OpenImage,
  openRemoteImage,
  pushUnnamed,
  type UnnamedOptions,
  type UnnamedPushOptions,
} from "./transfer/unnamed.ts";
import { Uploads } from "./transfer/uploads.ts";

/** Read at each use: they may change while the daemon runs. */
export interface TransferLimits {
  /** Layers at once, over all pulls. */
  downloads: number;
  /** Layers at once, over all pushes. */
  uploads: number;
  /** Of a download that makes no progress. */
  attempts: number;
}

export interface ImagesDependencies {
  database: Database;
  content: ContentStore;
  layers: LayerStore;
  events: EventSink;
  /** Asked for at each use: containers are built after images. */
  usage: () => ContainerUsage;
  /** For archives on their way in, on the disk of the layers. Belongs to this object alone. */
  spoolDirectory: string;
  registries: Registries;
  transfers: TransferLimits;
  /** The engine's version, for the configs of new images. */
  version: string;
}

export class Images {
  private readonly context: ImageContext;

  constructor(dependencies: ImagesDependencies) {
    const { content, layers, usage, transfers, database } = dependencies;
    const store = new ImageStore(database, content);
    const leases = new LayerLeases(database);
    this.context = {
      ...dependencies,
      store,
      collector: new LayerCollector({ store, leases }, content, layers, usage),
      leases,
      blobs: new LayerBlobs(database),
      downloads: new Downloads(layers, content, transfers),
      uploads: new Uploads(layers, dependencies.spoolDirectory, transfers),
    };
  }

  /** Removes what an earlier daemon left half done. Call once, after the layer store's own and when the containers are known. */
  async reconcile(): Promise<{ layers: Digest[]; blobs: Digest[] }> {
    await rm(this.context.spoolDirectory, { recursive: true, force: true });
    this.context.blobs.reconcile();
    this.context.store.manifests.reconcile();
    this.context.leases.reconcile();
    await this.context.downloads.reconcile();
    return this.context.collector.sweep();
  }

  /** Throws `not-found` as `docker create` prints it: `No such image: foo:latest`. */
  resolve(name: string, platform?: string): ImageRecord {
    return resolveImage(this.context.store, name, platform);
  }

  /** Undefined when the image was removed although a container uses it. */
  find(id: Digest): ImageRecord | undefined {
    return this.context.store.find(id);
  }

  records(): ImageRecord[] {
    return this.context.store.list();
  }

  config(record: ImageRecord): ContainerConfig {
    return this.imageConfig(record).config ?? {};
  }

  imageConfig(record: ImageRecord): ImageConfig {
    return this.context.store.config(record.id);
  }

  layers(record: ImageRecord): Digest[] {
    return record.layers;
  }

  /** Bytes of all layers, each once (`LayersSize` of /system/df). */
  layersSize(): number {
    return this.context.layers.list().reduce((sum, layer) => sum + layer.size, 0);
  }

  /** No layer is removed until this is disposed: taken by whoever brings layers in, until an image refers to them. */
  hold(): Disposable {
    return this.context.collector.hold();
  }

  /** To be called when a container is gone: its layers go too if nothing else needs them. */
  releaseLayers(diffIds: Iterable<Digest>): Promise<void> {
    return this.context.collector.collect(diffIds);
  }

  /** Throws what `createFromContainer` would refuse, before the container's layer is made. */
  checkCommit(request: Pick<CommitRequest, "repo" | "tag" | "changes">): void {
    checkCommit(request);
  }

  /** `docker commit`; returns the new image's id. The caller holds (`hold`) from before the layer was made. */
  createFromContainer(request: CommitRequest): Promise<Digest> {
    return commitImage(this.context, request);
  }

  /** A step of a build becomes an image; returns its id. The caller holds (`hold`) from before its layer was made. */
  createBuildStep(request: BuildStepRequest): Promise<Digest> {
    return createBuildStep(this.context, request);
  }

  /** One layer instead of those that an image has over its base; returns the new image's id. */
  squash(request: SquashRequest): Promise<Digest> {
    return squashImage(this.context, request);
  }

  /** An image that came from elsewhere is known from now on to be the step after `parent`. */
  adopt(id: Digest, parent: Digest): void {
    this.context.store.update(id, { parent });
  }

  /** Keeps layers for the build cache; returns the id of a record that no listing shows. */
  createCacheStep(layers: readonly Digest[]): Promise<Digest> {
    return createCacheStep(this.context, layers);
  }

  /** Forgets such a record, and the layers that nothing else needs. */
  async forgetCacheStep(id: Digest): Promise<void> {
    const record = this.context.store.find(id);
    if (!record?.hidden) return;
    await this.context.store.delete(id);
    await this.context.collector.collect(record.layers);
  }

  /** Bytes of the layer that an image adds to those below; 0: it has none. */
  topLayerSize(id: Digest): number {
    const top = this.context.store.find(id)?.layers.at(-1);
    return top === undefined ? 0 : this.context.layers.get(top).size;
  }

  /** The image that a build ends with; returns its id. `hidden`: no listing shows it, and `forgetCacheStep` removes it. */
  createBuilt(config: ImageConfig, options: { hidden: boolean } = { hidden: false }): Promise<Digest> {
    return createBuilt(this.context, config, options);
  }

  /** Of images for several platforms; under a hold, until a name leads to it. */
  createIndex(images: readonly IndexedImage[]): Promise<BuiltIndex> {
    return createIndex(this.context, images);
  }

  /** All that images consist of, as a store of content has it; of several, with their index. The last blob is what stands for all. */
  ociContent(images: readonly Digest[], index?: BuiltIndex): { blobs: OciBlob[]; top: Descriptor } {
    return ociContents(this.context, images, index);
  }

  /** Gives a name to an image (or to the index that it is in). */
  tagBuilt(reference: Reference, id: Digest, index?: Digest): void {
    tagImage(this.context, reference, id, nowRfc3339Nano(), index);
  }

  /** The image's tags and digests. */
  references(id: Digest): Reference[] {
    return this.context.store.references(id);
  }

  /** Images that were made on top of this one. */
  children(id: Digest): Digest[] {
    return this.context.store.children(id);
  }

  async list(options: ListOptions): Promise<ImageSummary[]> {
    return listImages(this.context, options);
  }

  async inspect(name: string, options: { platform?: string | undefined; manifests?: boolean }): Promise<ImageInspect> {
    const { platform, manifests = false } = options;
    return inspectImage(this.context, this.resolve(name, platform), { manifests });
  }

  async history(name: string, options: { platform?: string | undefined }): Promise<ImageHistoryItem[]> {
    return imageHistory(this.context, this.resolve(name, options.platform));
  }

  async tag(name: string, repo: string, tag: string): Promise<void> {
    const record = this.resolve(name);
    const reference = targetReference(repo, tag);
    if (!reference) throw invalidArgument("invalid reference format");
    tagImage(this.context, reference, record.id, nowRfc3339Nano(), targetOf(this.context.store, name));
  }

  remove(name: string, options: RemoveOptions): Promise<ImageDeleteItem[]> {
    return removeImage(this.context, name, options);
  }

  prune(filters: Filters): Promise<PruneImagesResponse> {
    return pruneImages(this.context, filters);
  }

  load(archive: Bytes, options: LoadOptions): Promise<void> {
    return loadImages(this.context, archive, options);
  }

  async save(names: string[], options: { platform?: string | undefined; signal: AbortSignal }): Promise<Bytes> {
    return saveImages(this.context, names, options);
  }

  /** An archive of images under these names, whatever names they have here: of one, or of an index and all that are in it. */
  async saveAs(
    images: readonly Digest[],
    names: Reference[],
    { signal, index }: { signal: AbortSignal; index?: BuiltIndex | undefined },
  ): Promise<Bytes> {
    const { store } = this.context;
    const record = store.get(index?.image ?? (images[0] as Digest));
    const variants = index ? images.map((image) => store.get(image)) : [];
    return saveSelected(this.context, [{ record, tags: names, variants, ...(index && { index }) }], { signal });
  }

  /** The config of the image that has this name here, as it came. */
  configOf(reference: Reference): Uint8Array | undefined {
    const { store } = this.context;
    const id = store.findByReference(withDefaultTag(reference));
    return id === undefined ? undefined : store.configBytes(id);
  }

  /** An image in a registry, of which only the config has come. */
  openRemote(name: string, options: UnnamedOptions): Promise<OpenImage> {
    return openRemoteImage(this.context, name, options);
  }

  /** An image in somebody's store of content, of which only the config has come. */
  openContent(content: ContentReader, options: Parameters<typeof openContentImage>[2]): Promise<OpenImage> {
    return openContentImage(this.context, content, options);
  }

  /** Pushes an image under a name that it does not get here. */
  pushUnnamed(id: Digest, name: string, options: UnnamedPushOptions): Promise<Digest> {
    return pushUnnamed(this.context, id, name, options);
  }

  /** `docker pull`; without tag or digest all tags of the repository. What is bundled is made here. */
  pull(name: string, options: PullOptions): Promise<void> {
    const bundled = bundledPull(name, options.tag);
    return bundled ? bundled(this.context, options) : pullImage(this.context, name, options);
  }

  /** `docker push`; without tag all tags of the repository. */
  push(name: string, options: PushOptions): Promise<void> {
    return pushImage(this.context, name, options);
  }

  import(source: string, body: Bytes, options: ImportOptions): Promise<void> {
    return importImage(this.context, source, body, options);
  }
}
