/** Layers on their way out: compressed to a file by child processes, so that their digest is known, then sent. */
import { createReadStream } from "node:fs";
import { mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { makePipe } from "../../../archive/run-child.ts";
import { canceled, internal } from "../../../base/errors.ts";
import { newId } from "../../../base/ids.ts";
import { type Bytes, collectText } from "../../../base/streams.ts";
import { type Digest, Digester } from "../../../oci/digest.ts";
import type { LayerStore } from "../../../snapshots/layer-store.ts";
import { limiter } from "../archive/limit.ts";

export interface CompressedLayer extends AsyncDisposable {
  digest: Digest;
  size: number;
  open(offset: number): Bytes;
}

/** igzip (package isal) compresses several times as fast as gzip, to about the same size. Neither writes names or times. */
const compressors = [
  ["igzip", "-cn", "-3"],
  ["gzip", "-cn", "-6"],
];

export class Uploads {
  private readonly layers: Pick<LayerStore, "tarTo">;
  private readonly directory: string;
  /** At most so many layers are worked on at once, over all pushes. */
  readonly limit: ReturnType<typeof limiter>;

  constructor(layers: Pick<LayerStore, "tarTo">, directory: string, atOnce: number) {
    this.layers = layers;
    this.directory = directory;
    this.limit = limiter(atOnce);
  }

  /** The layer's gzipped archive; the same program gives the same bytes each time. Dispose of it to remove the file. */
  async compress(diffId: Digest, signal: AbortSignal): Promise<CompressedLayer> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    const path = join(this.directory, `push-${newId().slice(0, 12)}`);
    try {
      await this.compressTo(path, diffId, signal);
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

  private async compressTo(path: string, diffId: Digest, signal: AbortSignal): Promise<void> {
    const argv = compressors.find(([program]) => Bun.which(program as string)) as string[] | undefined;
    if (!argv) throw internal('exec: "gzip": executable file not found in $PATH');
    const file = await open(path, "wx", 0o600);
    try {
      using pipe = makePipe();
      const child = Bun.spawn(argv, { stdin: pipe.readEnd, stdout: file.fd, stderr: "pipe", signal });
      const said = collectText(child.stderr);
      const writing = this.layers.tarTo(diffId, pipe.writeEnd, signal);
      // The child sees the end of the archive only when nobody holds the writing end any more.
      const written = await writing.then(
        () => undefined,
        (error: unknown) => ({ error }),
      );
      pipe[Symbol.dispose]();
      const code = await child.exited;
      if (signal.aborted) throw canceled("context canceled");
      if (written) throw written.error;
      if (code !== 0) throw internal(`${argv[0]}: ${(await said).trim()}`);
    } finally {
      await file.close();
    }
  }
}

async function digestFile(path: string, signal: AbortSignal): Promise<{ digest: Digest; size: number }> {
  const digester = new Digester();
  let size = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, signal }) as Bytes) {
    digester.update(chunk);
    size += chunk.length;
  }
  return { digest: digester.digest(), size };
}
