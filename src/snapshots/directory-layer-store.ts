/**
 * The layer store in a directory (docs/layers.md):
 *
 *   <root>/layers/<64 digits>/diff        the unpacked tree, a lower directory of overlays
 *                            /tar-split   what reproduces its archive
 *                            /displaced   files that the archive holds but a later entry of it replaced; rarely there
 *   <root>/layers/.new/<id>               being unpacked
 *   <root>/trash/<id>                     being deleted
 *
 * The row in the table `layers` is the truth: a directory without one is rubbish, found by `reconcile`.
 */
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { unpackLayerArchive } from "../archive/layers/layer-archive.ts";
import { dropEmptyDisplaced } from "../archive/layers/layer-files.ts";
import { startChild } from "../archive/processes/run-child.ts";
import { readTrailer } from "../archive/tar/tar-split.ts";
import { invalidArgument, notFound } from "../base/errors.ts";
import { newId } from "../base/ids.ts";
import type { Bytes } from "../base/streams.ts";
import { spreadDirectories } from "../linux/spread.ts";
import type { Database } from "../metadata/database.ts";
import type { ArchiveSource, Layer, LayerStore, UnpackOptions } from "./layer-store.ts";
import type { Trash } from "./trash.ts";

export class DirectoryLayerStore implements LayerStore {
  private readonly directory: string;
  private readonly database: Database;
  private readonly trash: Trash;

  /** `root` is created. `trash` must be on its file system; it may be shared. */
  constructor(root: string, database: Database, trash: Trash) {
    this.directory = join(root, "layers");
    this.database = database;
    this.trash = trash;
    mkdirSync(join(this.directory, ".new"), { recursive: true, mode: 0o700 });
    spreadDirectories(join(this.directory, ".new"));
  }

  async unpack(source: ArchiveSource, { expected, signal }: UnpackOptions = {}): Promise<Layer> {
    if (expected !== undefined && this.has(expected)) return this.get(expected);
    using place = this.newDirectory();
    const range = "path" in source ? { ...source, offset: source.offset ?? 0 } : source;
    const { diffId, size } = await unpackLayerArchive(range, place.path, signal);
    if (expected !== undefined && expected !== diffId) {
      throw invalidArgument(`layer has diffID ${diffId}, expected ${expected}`);
    }
    return this.adopt(place.path, { diffId, size });
  }

  /** The layer that `fill` makes in an empty directory. */
  async make(fill: (directory: string) => Promise<Layer>): Promise<Layer> {
    using place = this.newDirectory();
    const { diffId, size } = await fill(place.path);
    return this.adopt(place.path, { diffId, size });
  }

  /** A new directory for a layer in the making; whoever disposes of it deletes it, unless it was adopted. */
  newDirectory(): { path: string } & Disposable {
    const path = join(this.directory, ".new", newId());
    mkdirSync(path, { mode: 0o700 });
    return { path, [Symbol.dispose]: () => this.trash.discard(path) };
  }

  /** Makes a finished directory (from `newDirectory`) the layer, unless it exists: then the directory is left alone. */
  adopt(path: string, layer: Layer): Layer {
    if (this.has(layer.diffId)) return this.get(layer.diffId);
    dropEmptyDisplaced(path);
    const target = this.layerDirectory(layer.diffId);
    // Whatever is there has no row: a daemon died between renaming and inserting.
    if (existsSync(target)) this.trash.discard(target);
    renameSync(path, target);
    this.database.run("INSERT INTO layers (diff_id, state, size) VALUES (?, 'ready', ?)", layer.diffId, layer.size);
    return layer;
  }

  has(diffId: string): boolean {
    return this.find(diffId) !== undefined;
  }

  get(diffId: string): Layer {
    const layer = this.find(diffId);
    if (!layer) throw notFound(`layer ${diffId} does not exist`);
    return layer;
  }

  list(): Layer[] {
    return this.database.all<Layer>(
      "SELECT diff_id AS diffId, size FROM layers WHERE state = 'ready' ORDER BY diff_id",
    );
  }

  path(diffId: string): string {
    return join(this.layerDirectory(diffId), "diff");
  }

  async remove(diffId: string): Promise<void> {
    if (this.database.run("DELETE FROM layers WHERE diff_id = ?", diffId) > 0) {
      this.trash.discard(this.layerDirectory(diffId));
    }
  }

  openTar(diffId: string, signal?: AbortSignal): Bytes {
    return this.assemble(diffId, "stream", signal).output;
  }

  async tarTo(diffId: string, descriptor: number, signal?: AbortSignal): Promise<void> {
    await this.assemble(diffId, descriptor, signal).result;
  }

  tarSize(diffId: string): number {
    this.get(diffId);
    const descriptor = openSync(join(this.layerDirectory(diffId), "tar-split"), "r");
    try {
      return readTrailer(descriptor, fstatSync(descriptor).size).tarSize;
    } finally {
      closeSync(descriptor);
    }
  }

  async reconcile(): Promise<void> {
    const rows = new Set(this.list().map(({ diffId }) => hexOf(diffId)));
    for (const name of readdirSync(this.directory)) {
      if (name === ".new")
        for (const half of readdirSync(join(this.directory, name)))
          this.trash.discard(join(this.directory, name, half));
      else if (!rows.delete(name)) this.trash.discard(join(this.directory, name));
    }
    for (const hex of rows) this.database.run("DELETE FROM layers WHERE diff_id = ?", `sha256:${hex}`);
    this.trash.empty();
  }

  async close(): Promise<void> {
    await this.trash.close();
  }

  private find(diffId: string): Layer | undefined {
    return this.database.get<Layer>(
      "SELECT diff_id AS diffId, size FROM layers WHERE diff_id = ? AND state = 'ready'",
      diffId,
    );
  }

  private layerDirectory(diffId: string): string {
    return join(this.directory, hexOf(diffId));
  }

  private assemble(diffId: string, stdout: "stream" | number, signal: AbortSignal | undefined) {
    this.get(diffId);
    return startChild("__archive", { verb: "assemble", directory: this.layerDirectory(diffId) }, { stdout, signal });
  }
}

function hexOf(diffId: string): string {
  if (!/^sha256:[a-f0-9]{64}$/.test(diffId)) throw invalidArgument(`invalid checksum digest format: ${diffId}`);
  return diffId.slice(7);
}
