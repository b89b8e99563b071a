/** The child's side of unpacking a layer, putting its archive together again, and passing on a part of a file. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { internal } from "../../base/errors.ts";
import * as files from "../../linux/files.ts";
import { ByteSink, writeAll } from "../byte-sink.ts";
import { ByteSource, type ByteSourceOptions } from "../byte-source.ts";
import { enterRoot } from "../processes/confine.ts";
import { TarReader } from "../tar/tar-reader.ts";
import { assemble } from "../tar/tar-split.ts";
import { Unpacker } from "../tar/unpack.ts";
import { contentSize, startLayer, type UnpackLayerResult } from "./layer-files.ts";

export interface FileRange {
  path: string;
  offset: number;
  size?: number | undefined;
}

export interface UnpackLayerJob {
  verb: "unpack-layer";
  /** An empty directory; gets `diff`, `tar-split` and, if the archive replaced entries of its own, `displaced`. */
  directory: string;
  /** An uncompressed archive; undefined: stdin. */
  source?: FileRange | undefined;
}

export function unpackLayer({ directory, source }: UnpackLayerJob): UnpackLayerResult {
  using parts = startLayer(directory);
  const { split, target } = parts;
  const hasher = new Bun.CryptoHasher("sha256");
  const input = openSource(source, { onRead: (chunk) => hasher.update(chunk) });
  enterRoot(`${directory}/diff`);
  const reader = new TarReader(input, (bytes) => split.bytes(bytes));
  const unpacker = new Unpacker({
    ...target,
    onContent: (path, offset, length) => split.content(`diff${path}`, offset, length),
  });
  unpacker.run(reader);
  reader.drain();
  split.finish();
  const size = unpacker.displaced ? contentSize("/") : unpacker.size;
  return { diffId: `sha256:${hasher.digest("hex")}`, size };
}

function openSource(source: FileRange | undefined, options: ByteSourceOptions = {}): ByteSource {
  if (!source) return new ByteSource(0, options);
  return new ByteSource(openSync(source.path, "r"), { ...options, range: source });
}

export interface AssembleJob {
  verb: "assemble";
  directory: string;
}

/** Writes the archive of a layer's directory to stdout. */
export function assembleLayer({ directory }: AssembleJob): void {
  const split = openSync(`${directory}/tar-split`, "r");
  enterRoot(directory);
  const sink = new ByteSink(1);
  assemble(split, fstatSync(split).size, sink, (path, offset, length) => copyFile(`/${path}`, offset, length, sink));
}

function copyFile(path: string, offset: number, length: number, sink: ByteSink): void {
  const descriptor = files.open(path, files.openFlags.readOnly | files.openFlags.noFollow);
  try {
    for (let done = 0; done < length; ) {
      const chunk = sink.reserve(Math.min(length - done, 1 << 20));
      for (let at = 0; at < chunk.length; ) {
        const count = readSync(descriptor, chunk, at, chunk.length - at, offset + done + at);
        if (count === 0) throw internal(`the layer is damaged: ${files.fromRaw(path)} is too short`);
        at += count;
      }
      done += chunk.length;
    }
  } finally {
    closeSync(descriptor);
  }
}

export interface PassJob {
  verb: "pass";
  source: FileRange;
}

/** Copies the source to stdout. */
export function pass({ source }: PassJob): void {
  const input = openSource(source);
  for (let chunk = input.some(1 << 20); chunk; chunk = input.some(1 << 20)) writeAll(1, chunk);
}
