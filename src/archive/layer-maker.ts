/**
 * Layers made of trees that are here already, in one process: of each entry the archive's bytes go into the digest and the tar-split,
 * and the entry itself into the layer's directory (`LayerMaker`), or it stays where it is because the tree becomes the layer
 * (`LayerKeeper`).
 */
import { closeSync } from "node:fs";
import { internal } from "../base/errors.ts";
import { enterOpenRoot, enterRoot, openRoot } from "./confine.ts";
import { contentSize, type LayerFiles, startLayer, startSplit, type UnpackLayerResult } from "./layer-files.ts";
import { LayerRecorder } from "./layer-recorder.ts";
import type { EntrySink, TarEntry } from "./tar-entry.ts";
import type { TarSplitWriter } from "./tar-split.ts";
import { TarWriter } from "./tar-writer.ts";
import { type ContentSource, Unpacker } from "./unpack.ts";

/** Fills an empty layer directory. The process goes to and fro between two roots: the source, and the layer while an entry is made. */
export class LayerMaker implements EntrySink, Disposable {
  private readonly recorder: LayerRecorder;
  private readonly writer: TarWriter;
  private readonly unpacker: Unpacker;
  private readonly files: LayerFiles;
  private readonly layer: number;
  private readonly source: number;

  /** Enters `source`, in which everything happens from now on. */
  constructor(directory: string, source: string) {
    this.files = startLayer(directory);
    this.recorder = new LayerRecorder(this.files.split);
    this.writer = new TarWriter(this.recorder);
    this.unpacker = new Unpacker(this.files.target);
    this.layer = openRoot(`${directory}/diff`);
    this.source = openRoot(source);
    enterOpenRoot(this.source);
  }

  add(entry: TarEntry): void {
    this.writer.add(entry);
    this.make(entry);
  }

  addFile(entry: TarEntry, descriptor: number, blocks: number): void {
    let written = false;
    this.make(entry, (path, write) => {
      this.recorder.file = `diff${path}`;
      this.recorder.receive = write;
      this.writer.addFile(entry, descriptor, blocks);
      written = true;
    });
    if (!written) throw internal(`${entry.name} is no name for a file of a layer`);
  }

  end(): void {
    this.inLayer(() => this.unpacker.end());
    this.writer.end();
  }

  /** After `end`. */
  result(): UnpackLayerResult {
    const size = this.unpacker.displaced ? this.inLayer(() => contentSize("/")) : this.unpacker.size;
    return { ...this.recorder.finish(), size };
  }

  [Symbol.dispose](): void {
    this.files[Symbol.dispose]();
    closeSync(this.layer);
    closeSync(this.source);
  }

  private make(entry: TarEntry, content?: ContentSource): void {
    this.inLayer(() => this.unpacker.entry(entry, content));
  }

  private inLayer<T>(work: () => T): T {
    enterOpenRoot(this.layer);
    try {
      return work();
    } finally {
      enterOpenRoot(this.source);
    }
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
    return { ...this.recorder.finish(), size: this.size };
  }

  [Symbol.dispose](): void {
    this.split[Symbol.dispose]();
  }
}
