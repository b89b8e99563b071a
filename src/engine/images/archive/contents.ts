/**
 * Takes an image archive in, in one pass over the stream. What looks like a layer starts to unpack as soon as it is here, before it is
 * known which image it belongs to (manifests come last); everything else is small and kept in memory.
 *
 * Layers go to the spool file first, written once and most often never to the disk itself, and several unpack from there at the same
 * time, beside the stream. A huge plain layer is unpacked straight from the stream.
 */
import { availableParallelism } from "node:os";
import { detectCompression } from "../../../archive/compression.ts";
import { isZeroBlock, parseHeader } from "../../../archive/tar/tar-header.ts";
import { canceled, invalidArgument } from "../../../base/errors.ts";
import type { Bytes } from "../../../base/streams.ts";
import type { Digest } from "../../../oci/digest.ts";
import type { Layer, LayerStore } from "../../../snapshots/layer-store.ts";
import { limiter } from "./limit.ts";
import type { Spool } from "./spool.ts";
import { normalize, type StreamEntry, TarStream } from "./tar-stream.ts";

/** Larger plain layers are not written twice; for others that costs less than passing them through pipes, and they unpack beside each other. */
export const directThreshold = 256 << 20;
const maxSmallEntry = 8 << 20;
const maxSmallTotal = 128 << 20;
const maxEntries = 100_000;

/** Called with the bytes of a layer that have been taken in. */
export type LayerProgress = (name: string, current: number, total: number) => void;

export interface IntakeOptions {
  layers: LayerStore;
  spool: Spool;
  progress: LayerProgress;
  signal: AbortSignal;
}

/** A tar archive of nothing: its end. */
async function* emptyArchive(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(1024);
}

export class ArchiveContents {
  private readonly files = new Map<string, Uint8Array>();
  private readonly layers = new Map<string, Promise<Layer>>();
  private readonly links = new Map<string, string>();
  private readonly limit = limiter(() => availableParallelism() + 1);

  private readonly directThreshold: number;

  constructor(direct = directThreshold) {
    this.directThreshold = direct;
  }

  /** Content of a small file, or undefined. */
  find(name: string): Uint8Array | undefined {
    return this.files.get(this.resolve(name));
  }

  read(name: string): Uint8Array {
    const content = this.find(name);
    if (!content) throw invalidArgument(`open ${name}: no such file or directory`);
    return content;
  }

  /** The unpacked layer of this entry. */
  async layer(name: string): Promise<Layer> {
    const layer = this.layers.get(this.resolve(name));
    if (layer) return layer;
    // A file that did not look like a layer, and is wanted as one.
    const size = this.read(name).length;
    throw invalidArgument(size < 512 ? "unexpected EOF" : "archive/tar: invalid tar header");
  }

  hasLayer(name: string): boolean {
    return this.layers.has(this.resolve(name));
  }

  /** All layers of the archive that could be unpacked, when the last one is done. */
  async unpacked(): Promise<Digest[]> {
    const settled = await Promise.allSettled(this.layers.values());
    return settled.flatMap((result) => (result.status === "fulfilled" ? result.value.diffId : []));
  }

  /** Reads the whole stream. When it rejects, `unpacked` still tells which layers arrived. */
  async takeIn(source: Bytes, options: IntakeOptions): Promise<void> {
    const stream = new TarStream(source);
    let total = 0;
    let entries = 0;
    try {
      for (let entry = await stream.next(); entry; entry = await stream.next()) {
        if (options.signal.aborted) throw canceled("context canceled");
        if (++entries > maxEntries) throw invalidArgument(`the archive has more than ${maxEntries} entries`);
        if (entry.type === "link") this.links.set(entry.name, entry.target);
        if (entry.type !== "file") continue;
        const kind = await kindOf(stream, entry);
        if (kind !== "other") await this.takeLayer(stream, entry, kind, options);
        else if (entry.size === 0 && /(^|\/)layer\.tar$/.test(entry.name)) {
          // Old archives have layers without a single byte.
          this.remember(entry.name, options.layers.unpack(emptyArchive(), { signal: options.signal }));
        } else if (entry.size <= maxSmallEntry && total + entry.size <= maxSmallTotal) {
          this.files.set(entry.name, await stream.readContent(maxSmallEntry));
          total += entry.size;
        }
      }
      await stream.drain();
    } catch (error) {
      await stream.close();
      throw error;
    }
  }

  private async takeLayer(
    stream: TarStream,
    entry: StreamEntry,
    kind: "plain" | "compressed",
    options: IntakeOptions,
  ): Promise<void> {
    const { layers, spool, signal } = options;
    const known = knownLayer(entry.name, layers);
    if (known) {
      this.layers.set(entry.name, Promise.resolve(known));
      return;
    }
    const content = reporting(stream.content(), entry, options.progress);
    if (kind === "plain" && entry.size > this.directThreshold) {
      const layer = layers.unpack(content, { signal });
      this.remember(entry.name, layer);
      await layer;
      return;
    }
    const part = await spool.append(content);
    this.remember(
      entry.name,
      this.limit(() => layers.unpack(part, { signal })),
    );
  }

  private remember(name: string, layer: Promise<Layer>): void {
    // A failure matters only if an image wants the layer: it is reported when it is asked for.
    layer.catch(() => undefined);
    this.layers.set(name, layer);
  }

  private resolve(name: string): string {
    let at = normalize(name);
    for (let hops = 0; hops < 16; hops++) {
      const target = this.links.get(at);
      if (target === undefined) return at;
      at = target;
    }
    throw invalidArgument(`open ${name}: too many levels of symbolic links`);
  }
}

/** An entry that is named by the digest of a layer that is here already need not be read. Its name is checked against the config later. */
function knownLayer(name: string, layers: LayerStore): Layer | undefined {
  const hex = /^blobs\/sha256\/([a-f0-9]{64})$/.exec(name)?.[1];
  return hex !== undefined && layers.has(`sha256:${hex}`) ? layers.get(`sha256:${hex}`) : undefined;
}

async function kindOf(stream: TarStream, entry: StreamEntry): Promise<"plain" | "compressed" | "other"> {
  const head = await stream.peek(512);
  if (detectCompression(head) !== "none") return "compressed";
  if (entry.size < 512) return "other";
  const block = Buffer.from(head.buffer, head.byteOffset, 512);
  if (isZeroBlock(block)) return "plain";
  try {
    parseHeader(block);
    return "plain";
  } catch {
    return "other";
  }
}

async function* reporting(content: Bytes, entry: StreamEntry, progress: LayerProgress): AsyncGenerator<Uint8Array> {
  let current = 0;
  for await (const chunk of content) {
    current += chunk.length;
    progress(entry.name, current, entry.size);
    yield chunk;
  }
}
