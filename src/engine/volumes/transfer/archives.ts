/** A volume as a tar archive, and an archive as a volume. */
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Volume } from "../../../api/volumes.ts";
import { digestFile, gzipToFile } from "../../../archive/gzip-file.ts";
import { packDirectory, packDirectoryTo, unpackDirectory } from "../../../archive/trees/directory-archive.ts";
import type { Bytes } from "../../../base/streams.ts";
import type { Digest } from "../../../oci/digest.ts";
import type { PlaceOptions, VolumeData } from "../data.ts";
import type { SnapshotDirectory } from "../snapshots/snapshot-store.ts";
import type { VolumeSnapshots } from "../snapshots/snapshots.ts";

/** A gzipped archive in a file, which goes when it is disposed of. */
export interface GzippedArchive extends AsyncDisposable {
  path: string;
  digest: Digest;
  size: number;
  open(offset: number): Bytes;
}

export class VolumeArchives {
  private readonly snapshots: VolumeSnapshots;
  private readonly data: VolumeData;

  constructor(snapshots: VolumeSnapshots, data: VolumeData) {
    this.snapshots = snapshots;
    this.data = data;
  }

  /**
   * The volume at one moment: containers stand still while it is copied aside, not while the archive is read, however slowly. Rejects
   * before the first byte.
   */
  async export(volume: string, signal: AbortSignal): Promise<Bytes> {
    const copy = await this.snapshots.copy(volume, signal);
    // A generator that is never begun does not come to its end.
    signal.addEventListener("abort", () => void copy[Symbol.asyncDispose](), { once: true });
    return untilRead(copy, packDirectory(copy.path, signal));
  }

  /** Fills a volume from an archive of any compression; one that is not there is made. All or nothing. */
  async import(volume: string, archive: Bytes, options: PlaceOptions, signal: AbortSignal): Promise<Volume> {
    const { volumes } = this.data;
    await this.data.place(volume, options, async (directory) => {
      await unpackDirectory(directory, archive, signal);
    });
    return volumes.inspect(volume);
  }

  /** As `export`, gzipped to a file. */
  async gzip(volume: string, signal: AbortSignal): Promise<GzippedArchive> {
    const copy = await this.snapshots.copy(volume, signal);
    const path = join(copy.path, "../archive.tar.gz");
    const dispose = () => copy[Symbol.asyncDispose]();
    try {
      await gzipToFile(path, (descriptor) => packDirectoryTo(copy.path, descriptor, signal), signal);
      await rm(copy.path, { recursive: true, force: true });
      const open = (offset: number) => createReadStream(path, { start: offset, highWaterMark: 1 << 20 }) as Bytes;
      return { path, ...(await digestFile(path, signal)), open, [Symbol.asyncDispose]: dispose };
    } catch (error) {
      await dispose();
      throw error;
    }
  }
}

/** The copy goes when the archive was read, or when nobody will read it any more. */
async function* untilRead(copy: SnapshotDirectory, archive: Bytes): AsyncGenerator<Uint8Array> {
  try {
    yield* archive;
  } finally {
    await copy[Symbol.asyncDispose]();
  }
}
