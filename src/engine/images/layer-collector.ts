/**
 * Removes layers and blobs that nothing refers to any more.
 *
 * INVARIANT: a layer is removed only in a tick in which no image, no container, no lease and no running operation needs it. An operation that
 * brings layers in (load, import, pull, commit, build) takes a hold before the first one arrives and lets go after the image is
 * recorded; while any hold is taken nothing is removed, and what could be is looked at when the last one ends.
 */
import type { ContentStore } from "../../content/content.ts";
import type { Digest } from "../../oci/digest.ts";
import { isIndexType, parseManifest } from "../../oci/manifest.ts";
import type { LayerStore } from "../../snapshots/layer-store.ts";
import { attestedContent } from "./builds/attestation.ts";
import type { ContainerUsage } from "./context.ts";
import type { ImageStore } from "./image-store.ts";
import type { LayerLeases } from "./transfer/layer-leases.ts";

export class LayerCollector {
  private readonly store: ImageStore;
  private readonly content: ContentStore;
  private readonly layers: LayerStore;
  private readonly usage: () => ContainerUsage;
  private readonly leases: LayerLeases;
  private holds = 0;
  private readonly candidates = new Set<Digest>();

  constructor(
    { store, leases }: { store: ImageStore; leases: LayerLeases },
    content: ContentStore,
    layers: LayerStore,
    usage: () => ContainerUsage,
  ) {
    this.store = store;
    this.leases = leases;
    this.content = content;
    this.layers = layers;
    this.usage = usage;
  }

  /** No layer is removed until this is disposed. */
  hold(): Disposable {
    this.holds++;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.holds--;
        this.release([]);
      },
    };
  }

  /** As `collect`, in the background: what cannot be removed now is found by the next start's sweep. */
  release(diffIds: Iterable<Digest>): void {
    this.collect(diffIds).catch(() => undefined);
  }

  /** Removes those of these layers that nothing needs, at once or when the last hold ends. */
  async collect(diffIds: Iterable<Digest>): Promise<void> {
    for (const diffId of diffIds) this.candidates.add(diffId);
    if (this.holds > 0 || this.candidates.size === 0) return;
    const used = this.usedLayers();
    const garbage = [...this.candidates].filter((diffId) => !used.has(diffId) && this.layers.has(diffId));
    this.candidates.clear();
    await Promise.all(garbage.map((diffId) => this.layers.remove(diffId)));
  }

  /** Mark and sweep, for the start of the daemon: call when the containers are known. Returns what was removed. */
  async sweep(): Promise<{ layers: Digest[]; blobs: Digest[] }> {
    const marked = new Set([...this.store.listAll().map((record) => record.id), ...this.keptManifests()]);
    const blobs = this.holds > 0 ? [] : this.content.list().filter((blob) => !marked.has(blob.digest));
    const used = this.usedLayers();
    const layers = this.layers.list().filter((layer) => !used.has(layer.diffId));
    await this.collect(layers.map((layer) => layer.diffId));
    await Promise.all(blobs.map((blob) => this.content.delete(blob.digest)));
    return { layers: layers.map((layer) => layer.diffId), blobs: blobs.map((blob) => blob.digest) };
  }

  /** With what is said about images in the indexes that are kept. */
  private keptManifests(): Digest[] {
    return this.store.manifests.kept().flatMap((digest) => {
      const { mediaType = "" } = this.content.find(digest) ?? {};
      if (!isIndexType(mediaType)) return [digest];
      const parsed = parseManifest(this.content.read(digest));
      return "index" in parsed ? [digest, ...attestedContent(this.content, parsed.index)] : [digest];
    });
  }

  private usedLayers(): Set<Digest> {
    const used = new Set(this.store.listAll().flatMap((record) => record.layers));
    for (const stack of this.usage().layersInUse()) for (const diffId of stack) used.add(diffId);
    for (const diffId of this.leases.held()) used.add(diffId);
    return used;
  }
}
