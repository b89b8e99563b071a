/** Copies entries of one tree into another. The process goes to and fro between the two roots; what leads out of either leads nowhere. */
import { closeSync } from "node:fs";
import * as files from "../../linux/files.ts";
import { readFilled } from "../byte-sink.ts";
import { enterOpenRoot, openRoot } from "../processes/confine.ts";
import type { Packer } from "../tar/pack.ts";
import type { EntrySink, TarEntry } from "../tar/tar-entry.ts";
import { type ContentSource, Unpacker, type UnpackTarget } from "../tar/unpack.ts";

const chunkSize = 1 << 20;

export class TreeCopier implements EntrySink, Disposable {
  readonly unpacker: Unpacker;
  private readonly target: number;
  private readonly source: number;

  /** `target` and `source` are paths. Enters `source`, in which everything happens but the making of entries. */
  constructor(target: string, source: string, options: UnpackTarget) {
    this.unpacker = new Unpacker(options);
    this.target = openRoot(target);
    this.source = openRoot(source);
    enterOpenRoot(this.source);
  }

  add(entry: TarEntry): void {
    this.make(entry);
  }

  addFile(entry: TarEntry, descriptor: number): void {
    const chunk = Buffer.allocUnsafe(Math.min(entry.size, chunkSize));
    this.make(entry, (_path, write) => {
      for (let at = 0; at < entry.size; at += chunkSize) {
        const part = chunk.subarray(0, Math.min(chunkSize, entry.size - at));
        readFilled(descriptor, part, at);
        write(part, at);
      }
    });
  }

  end(): void {
    this.inTarget(() => this.unpacker.end());
  }

  make(entry: TarEntry, content?: ContentSource): void {
    this.inTarget(() => this.unpacker.entry(entry, content));
  }

  inTarget<T>(work: () => T): T {
    enterOpenRoot(this.target);
    try {
      return work();
    } finally {
      enterOpenRoot(this.source);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.target);
    closeSync(this.source);
  }
}

/** Packs all that is below `path` in the process's root; names are relative to the root. */
export function packAll(packer: Packer, path = ""): void {
  for (const name of files.listNames(path || "/")) {
    const child = `${path}/${name}`;
    const stat = files.lstat(child);
    if (!stat) continue;
    packer.add(child, child.slice(1), stat);
    if (files.isDirectory(stat)) packAll(packer, child);
  }
}
