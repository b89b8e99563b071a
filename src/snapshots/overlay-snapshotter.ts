/**
 * Snapshots by overlayfs (docs/layers.md):
 *
 *   <root>/snapshots/<key>/upper    the container's own files
 *                         /work     overlayfs's scratch directory
 *                         /merged   where it is mounted
 *                         /layers   diffIDs, base first, one a line
 *                         /plain    there is no layer of mount points
 *   <root>/init                     the mount points below every base layer
 *         /empty                    instead of a layer, where there is none
 */
import { close, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { FilesystemChange } from "../api/containers.ts";
import type { UnpackLayerResult } from "../archive/layers/layer-files.ts";
import { runChild } from "../archive/processes/run-child.ts";
import { conflict, errorCode, notFound } from "../base/errors.ts";
import { takeOut } from "../linux/mounts/mount.ts";
import { mountOverlay } from "../linux/mounts/overlay.ts";
import { spreadDirectories } from "../linux/spread.ts";
import type { UpperJob, UpperLayerJob } from "./child.ts";
import type { DirectoryLayerStore } from "./directory-layer-store.ts";
import { makeInitLayer } from "./init-layer.ts";
import type { Layer } from "./layer-store.ts";
import { isMountPoint } from "./mount-point.ts";
import type { CommitOptions, LayerJobOptions, Snapshotter } from "./snapshotter.ts";
import type { Trash } from "./trash.ts";

/** A process for this job alone. */
function runOnce(job: UpperLayerJob, { signal }: { signal: AbortSignal | undefined }): Promise<unknown> {
  return runChild("__snapshot", job, signal);
}

const closeLater = promisify(close);

export class OverlaySnapshotter implements Snapshotter {
  private readonly directory: string;
  private readonly initLayer: string;
  private readonly emptyLayer: string;
  private readonly layers: DirectoryLayerStore;
  private readonly trash: Trash;
  private readonly releases = new Map<string, Promise<void>>();

  /** `root` holds everything; `layers` and `trash` must be on its file system. */
  constructor(root: string, layers: DirectoryLayerStore, trash: Trash) {
    this.directory = join(root, "snapshots");
    this.layers = layers;
    this.trash = trash;
    mkdirSync(this.directory, { recursive: true, mode: 0o711 });
    spreadDirectories(this.directory);
    this.initLayer = join(root, "init");
    makeInitLayer(this.initLayer);
    this.emptyLayer = join(root, "empty");
    mkdirSync(this.emptyLayer, { recursive: true, mode: 0o755 });
  }

  prepare(key: string, layers: readonly string[], { plain = false } = {}): void {
    for (const diffId of layers) this.layers.get(diffId);
    const path = join(this.directory, key);
    try {
      mkdirSync(path, { mode: 0o710 });
    } catch (error) {
      if (errorCode(error) === "EEXIST") throw conflict(`snapshot ${key} already exists`, { cause: error });
      throw error;
    }
    mkdirSync(join(path, "upper"), { mode: 0o755 });
    mkdirSync(join(path, "work"), { mode: 0o700 });
    mkdirSync(join(path, "merged"), { mode: 0o700 });
    if (plain) writeFileSync(join(path, "plain"), "");
    writeFileSync(join(path, "layers"), layers.map((diffId) => `${diffId}\n`).join(""), { mode: 0o600 });
  }

  exists(key: string): boolean {
    return existsSync(join(this.directory, key, "layers"));
  }

  mount(key: string): string {
    const { upper, layers } = this.trees(key);
    const target = this.rootfs(key);
    if (this.isMounted(key)) return target;
    mountOverlay({ lower: layers, upper, work: join(this.directory, key, "work"), target });
    return target;
  }

  rootfs(key: string): string {
    return join(this.directory, key, "merged");
  }

  /** What `docker inspect` shows as GraphDriver.Data. */
  directories(key: string): { LowerDir: string; MergedDir: string; UpperDir: string; WorkDir: string } {
    const { upper, layers } = this.trees(key);
    return {
      LowerDir: layers.join(":"),
      MergedDir: this.rootfs(key),
      UpperDir: upper,
      WorkDir: join(this.directory, key, "work"),
    };
  }

  isMounted(key: string): boolean {
    return isMountPoint(this.rootfs(key));
  }

  unmount(key: string): Promise<void> {
    const mounted = this.detach(key);
    if (mounted === undefined) return this.releases.get(key) ?? Promise.resolve();
    return this.release(key, closeLater(mounted));
  }

  async remove(key: string): Promise<void> {
    const mounted = this.detach(key);
    const place = this.trash.discard(join(this.directory, key));
    // Deleted before the kernel lets go of the mount: else it would first write to disk what nobody needs.
    if (mounted !== undefined) {
      const deleted = place === undefined ? Promise.resolve() : this.trash.deleted(place);
      this.release(
        `removed ${key}`,
        deleted.then(() => closeLater(mounted)),
      ).catch(() => {
        // Closing reports at most that writing back failed, of files that are gone.
      });
    }
  }

  async changes(key: string): Promise<FilesystemChange[]> {
    return (await runChild("__snapshot", {
      verb: "changes",
      ...this.trees(key),
    } satisfies UpperJob)) as FilesystemChange[];
  }

  async usage(key: string): Promise<number> {
    return (await runChild("__snapshot", { verb: "usage", ...this.trees(key) } satisfies UpperJob)) as number;
  }

  async commit(key: string, { signal, consume, mountPoints = [], run = runOnce }: CommitOptions = {}): Promise<Layer> {
    const { upper, layers } = this.trees(key);
    using place = this.layers.newDirectory();
    const job = {
      verb: consume ? "adopt-upper" : "copy-upper",
      upper,
      layers,
      directory: place.path,
      mountPoints,
    } as const;
    const { diffId, size } = (await run(job, { signal })) as UnpackLayerResult;
    // A daemon that dies here leaves a snapshot without upper directory and a layer without row: the next start removes both.
    if (consume && !this.layers.has(diffId)) renameSync(upper, join(place.path, "diff"));
    return this.layers.adopt(place.path, { diffId, size });
  }

  async retime(layers: readonly string[], notAfter: number, options: LayerJobOptions = {}): Promise<Layer> {
    const [upper, ...below] = layers.toReversed();
    if (upper === undefined) throw notFound("there is no layer to make another one of");
    return await this.copy(this.layers.path(this.layers.get(upper).diffId), below, { times: { notAfter } }, options);
  }

  async difference(tree: string, layers: readonly string[], options: LayerJobOptions = {}): Promise<Layer> {
    return await this.copy(tree, layers.toReversed(), { whole: true }, options);
  }

  /** Makes a layer of a directory that stays as it is. `below`: the layers that it lies on, topmost first. */
  private async copy(
    upper: string,
    below: readonly string[],
    how: Pick<UpperLayerJob, "times" | "whole">,
    { signal, run = runOnce }: LayerJobOptions,
  ): Promise<Layer> {
    const layers = below.map((diffId) => this.layers.path(this.layers.get(diffId).diffId));
    using place = this.layers.newDirectory();
    const job = {
      verb: "copy-upper",
      upper,
      layers: layers.length > 0 ? layers : [this.emptyLayer],
      directory: place.path,
      mountPoints: [],
      ...how,
    } as const;
    const { diffId, size } = (await run(job, { signal })) as UnpackLayerResult;
    return this.layers.adopt(place.path, { diffId, size });
  }

  async reconcile(known: ReadonlySet<string>): Promise<void> {
    for (const key of readdirSync(this.directory)) if (!known.has(key)) await this.remove(key);
    this.trash.empty();
  }

  async close(): Promise<void> {
    await this.trash.close();
    await Promise.all(this.releases.values());
  }

  /**
   * As takeOut: letting go takes as long as there is dirty data to write back. Undefined when nothing is mounted.
   */
  private detach(key: string): number | undefined {
    return this.isMounted(key) ? takeOut(this.rootfs(key)) : undefined;
  }

  private release(name: string, done: Promise<unknown>): Promise<void> {
    const release = done.then(
      () => {
        this.releases.delete(name);
      },
      (error: unknown) => {
        this.releases.delete(name);
        throw error;
      },
    );
    this.releases.set(name, release);
    return release;
  }

  /** Its upper directory, and the layers below, the topmost first. */
  private trees(key: string): Omit<UpperJob, "verb"> {
    const path = join(this.directory, key);
    let text: string;
    try {
      text = readFileSync(join(path, "layers"), "utf8");
    } catch (error) {
      if (errorCode(error) === "ENOENT") throw notFound(`snapshot ${key} does not exist`, { cause: error });
      throw error;
    }
    // A layer that comes twice counts where it is topmost; the kernel refuses to mount it again.
    const diffIds = new Set(text.split("\n").filter(Boolean).reverse());
    const layers = [...diffIds].map((diffId) => this.layers.path(diffId));
    if (!existsSync(join(path, "plain"))) layers.push(this.initLayer);
    return { upper: join(path, "upper"), layers: layers.length > 0 ? layers : [this.emptyLayer] };
  }
}
