/** A layer store in memory, for tests of what stands on layers: it keeps the archives and unpacks nothing. */
import { invalidArgument, notFound } from "../../base/errors.ts";
import { collect, once } from "../../base/streams.ts";
import { digestOf } from "../../oci/digest.ts";
import type { ArchiveSource, Layer, LayerStore, UnpackOptions } from "../../snapshots/layer-store.ts";
import { TarStream } from "./archive/tar-stream.ts";

export class MemoryLayers implements LayerStore {
  private readonly stored = new Map<string, { layer: Layer; tar: Uint8Array }>();

  async unpack(source: ArchiveSource, options: UnpackOptions = {}): Promise<Layer> {
    const blob = "path" in source ? await readRange(source) : await collect(source);
    const tar = blob[0] === 0x1f ? Bun.gunzipSync(new Uint8Array(blob)) : blob;
    const diffId = digestOf(tar);
    if (options.expected !== undefined && options.expected !== diffId)
      throw invalidArgument(`unexpected diffID ${diffId}`);
    const layer = { diffId, size: await contentSize(tar) };
    this.stored.set(diffId, { layer, tar });
    return layer;
  }

  has(diffId: string): boolean {
    return this.stored.has(diffId);
  }

  get(diffId: string): Layer {
    return this.entry(diffId).layer;
  }

  list(): Layer[] {
    return [...this.stored.values()].map((entry) => entry.layer);
  }

  path(diffId: string): string {
    return `/layers/${diffId}`;
  }

  async remove(diffId: string): Promise<void> {
    this.stored.delete(diffId);
  }

  openTar(diffId: string): AsyncGenerator<Uint8Array> {
    return once(this.entry(diffId).tar);
  }

  async tarTo(diffId: string, descriptor: number): Promise<void> {
    await Bun.write(Bun.file(descriptor), this.entry(diffId).tar);
  }

  tarSize(diffId: string): number {
    return this.entry(diffId).tar.length;
  }

  async reconcile(): Promise<void> {}

  async close(): Promise<void> {}

  private entry(diffId: string): { layer: Layer; tar: Uint8Array } {
    const entry = this.stored.get(diffId);
    if (!entry) throw notFound(`layer ${diffId} does not exist`);
    return entry;
  }
}

async function readRange({
  path,
  offset = 0,
  size,
}: {
  path: string;
  offset?: number;
  size?: number;
}): Promise<Uint8Array> {
  const file = Bun.file(path);
  return file.slice(offset, size === undefined ? file.size : offset + size).bytes();
}

async function contentSize(tar: Uint8Array): Promise<number> {
  const stream = new TarStream(new Blob([new Uint8Array(tar)]).stream());
  let size = 0;
  for (let entry = await stream.next(); entry; entry = await stream.next()) size += entry.size;
  return size;
}
