/**
 * Layers made of trees that are here already, in one process: of each entry the archive's bytes go into the digest and the tar-split,
 * and the entry itself into the layer's directory (`LayerMaker`), or it stays where it is because the tree becomes the layer
 * (`LayerKeeper`).
 */
import { internal } from "../../base/errors.ts";
import { enterRoot } from "../processes/confine.ts";
import type { EntrySink, TarEntry } from "../tar/tar-entry.ts";
import type { TarSplitWriter } from "../tar/tar-split.ts";
import { TarWriter } from "../tar/tar-writer.ts";
import { TreeCopier } from "../trees/tree-copier.ts";
import { contentSize, type LayerFiles, startLayer, startSplit, type UnpackLayerResult } from "./layer-files.ts";
import { LayerRecorder } from "./layer-recorder.ts";

/** Fills an empty layer directory. */
export class LayerMaker implements EntrySink, Disposable {
  private readonly files: LayerFiles;
  private readonly recorder: LayerRecorder;
  private readonly writer: TarWriter;
  private readonly copier: TreeCopier;

  /** Enters `source`, in which everything happens from now on. */
  constructor(directory: string, source: string) {
    this.files = startLayer(directory);
    this.recorder = new LayerRecorder(this.files.split);
    this.writer = new TarWriter(this.recorder);
    this.copier = new TreeCopier(`${directory}/diff`, source, this.files.target);
  }

  add(entry: TarEntry): void {
    this.writer.add(entry);
    this.copier.add(entry);
  }

  addFile(entry: TarEntry, descriptor: number, blocks: number): void {
    let written = false;
    this.copier.make(entry, (path, write) => {
      this.recorder.file = `diff${path}`;
      this.recorder.receive = write;
      this.writer.addFile(entry, descriptor, blocks);
      written = true;
    });
    if (!written) throw internal(`${entry.name} is no name for a file of a layer`);
  }

  end(): void {
    this.copier.end();
    this.writer.end();
  }

  /** After `end`. */
  result(): UnpackLayerResult {
    const { unpacker } = this.copier;
    const size = unpacker.displaced ? this.copier.inTarget(() => contentSize("/")) : unpacker.size;
    return { diffId: this.recorder.finish(), size };
  }

  [Symbol.dispose](): void {
    this.files[Symbol.dispose]();
    this.copier[Symbol.dispose]();
  }
}

/** For a tree that is to be the layer's own: the layer directory gets the tar-split alone. Names are the entries' paths in the tree. */
export class LayerKeeper implements EntrySink, Disposable {
  private readonly split: TarSplitWriter;
  private readonly recorder: LayerRecorder;
  private readonly writer: TarWriter;
  private size = 0;

  /** Enters `source`, in which everything happens from now on. */
  constructor(directory: string, source: string) {
    this.split = startSplit(directory);
    this.recorder = new LayerRecorder(this.split);
    this.writer = new TarWriter(this.recorder);
    enterRoot(source);
  }

  add(entry: TarEntry): void {
    this.writer.add(entry);
    if (entry.type === "symlink") this.size += entry.linkName.length;
  }

  addFile(entry: TarEntry, descriptor: number, blocks: number): void {
    this.recorder.file = `diff/${entry.name}`;
    this.writer.addFile(entry, descriptor, blocks);
    this.size += entry.size;
  }

  end(): void {
    this.writer.end();
  }

  /** After `end`. */
  result(): UnpackLayerResult {
    return { diffId: this.recorder.finish(), size: this.size };
  }

  [Symbol.dispose](): void {
    this.split[Symbol.dispose]();
  }
}
