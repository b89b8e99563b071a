/** Layers on their way out: compressed to a file by child processes, so that their digest is known, then sent. */
import { createReadStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { digestFile, gzipToFile } from "../../../archive/gzip-file.ts";
import { newId } from "../../../base/ids.ts";
import type { Bytes } from "../../../base/streams.ts";
import type { Digest } from "../../../oci/digest.ts";
import type { LayerStore } from "../../../snapshots/layer-store.ts";
import { limiter } from "../archive/limit.ts";

export interface CompressedLayer extends AsyncDisposable {
  digest: Digest;
  size: number;
  open(offset: number): Bytes;
}

export class Uploads {
  private readonly layers: Pick<LayerStore, "tarTo">;
  private readonly directory: string;
  /** At most so many layers are worked on at once, over all pushes. */
  readonly limit: ReturnType<typeof limiter>;

  /** `limits` are read at each use. */
  constructor(layers: Pick<LayerStore, "tarTo">, directory: string, limits: { uploads: number }) {
    this.layers = layers;
    this.directory = directory;
    this.limit = limiter(() => limits.uploads);
  }

  /** The layer's gzipped archive; the same program gives the same bytes each time. Dispose of it to remove the file. */
  async compress(diffId: Digest, signal: AbortSignal): Promise<CompressedLayer> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    const path = join(this.directory, `push-${newId().slice(0, 12)}`);
    try {
      await gzipToFile(path, (descriptor) => this.layers.tarTo(diffId, descriptor, signal), signal);
      const { digest, size } = await digestFile(path, signal);
      return {
        digest,
        size,
        open: (offset) => createReadStream(path, { start: offset, highWaterMark: 1 << 20 }),
        [Symbol.asyncDispose]: () => rm(path, { force: true }),
      };
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
  }
}
