/**
 * Uploads: begun, appended to in any number of requests, finished under a digest that is verified, resumable after a cut connection or a
 * restart. Bytes are hashed as they arrive; only an upload that outlived a restart, or whose digest is sha512, is read again.
 *
 * Requests to one upload run one after another, and so do those that make or remove one digest's bytes (the collector's included).
 */

import type { KeyLocks } from "../base/key-locks.ts";
import { type Digest, Digester } from "../oci/digest.ts";
import { RegistryError } from "./http-error.ts";
import type { BlobIndex } from "./metadata/blob-index.ts";
import type { UploadIndex } from "./metadata/upload-index.ts";
import { type ByteRange, checkUploadId } from "./names.ts";
import { blobKey, type StorageDriver, type UploadWriter } from "./storage/driver.ts";

/** What was hashed so far of an upload. */
interface Progress {
  readonly digester: Digester;
  bytes: number;
}

export interface UploadParts {
  readonly driver: StorageDriver;
  readonly blobs: BlobIndex;
  readonly index: UploadIndex;
  /** Shared with the collector: by digest, and `upload:<id>`. */
  readonly locks: KeyLocks;
  readonly maxBlobBytes: number;
}

type Body = AsyncIterable<Uint8Array> | null;

export class Uploads {
  private readonly parts: UploadParts;
  private readonly progress = new Map<string, Progress>();

  constructor(parts: UploadParts) {
    this.parts = parts;
  }

  /** Begins an upload and returns its id. */
  async start(repository: string): Promise<string> {
    const id = crypto.getRandomValues(new Uint8Array(16)).toHex();
    this.parts.index.add(id, repository);
    const writer = await this.parts.driver.upload(id, true);
    await writer?.close();
    this.progress.set(id, { digester: new Digester(), bytes: 0 });
    return id;
  }

  /** Bytes stored so far. */
  async size(repository: string, id: string): Promise<number> {
    return this.held(repository, id, async (writer) => writer.size);
  }

  /** Appends a request's body and returns the new size. A body that is cut off leaves what has arrived, for the client to go on. */
  async append(repository: string, id: string, body: Body, range?: ByteRange): Promise<number> {
    return this.held(repository, id, async (writer) => {
      await this.receive(id, writer, body, range);
      return writer.size;
    });
  }

  /** Appends the last body and makes the upload a blob of the repository. One whose digest is wrong is dropped. */
  async finish(repository: string, id: string, digest: Digest, body: Body, range?: ByteRange): Promise<void> {
    await this.held(repository, id, async (writer) => {
      await this.receive(id, writer, body, range);
      await writer.close();
      const actual = await this.digestOf(id, writer.size, digest);
      if (actual !== digest) {
        await this.drop(id);
        throw new RegistryError("DIGEST_INVALID", undefined, { detail: { expected: digest, actual } });
      }
      await this.publish(repository, id, digest, writer.size);
    });
  }

  async cancel(repository: string, id: string): Promise<void> {
    await this.held(repository, id, async (writer) => {
      await writer.close();
      await this.drop(id);
    });
  }

  /** Drops an upload that nobody touched for long. */
  async expire(id: string): Promise<void> {
    await this.parts.locks.run(lockOf(id), () => this.drop(id));
  }

  private async held<T>(repository: string, id: string, work: (writer: UploadWriter) => Promise<T>): Promise<T> {
    const { driver, index, locks } = this.parts;
    checkUploadId(id);
    return locks.run(lockOf(id), async () => {
      const writer = index.has(id, repository) ? await driver.upload(id, false) : undefined;
      if (!writer) throw new RegistryError("BLOB_UPLOAD_UNKNOWN");
      try {
        return await work(writer);
      } finally {
        await writer.close();
      }
    });
  }

  private async receive(id: string, writer: UploadWriter, body: Body, range: ByteRange | undefined): Promise<void> {
    const first = writer.size;
    if (range && range.start !== first) {
      throw new RegistryError("RANGE_INVALID", undefined, { headers: { range: formatRange(first) } });
    }
    if (!body) return;
    const progress = this.progress.get(id);
    this.parts.index.touch(id);
    for await (const chunk of body) {
      if (writer.size + chunk.length > this.parts.maxBlobBytes) {
        await writer.close();
        await this.drop(id);
        throw new RegistryError("SIZE_INVALID", `blob is larger than ${this.parts.maxBlobBytes} bytes`);
      }
      const at = writer.size;
      await writer.write(chunk);
      if (progress?.bytes !== at) continue;
      progress.digester.update(chunk);
      progress.bytes += chunk.length;
    }
    if (range && writer.size !== range.end + 1) throw new RegistryError("SIZE_INVALID");
  }

  private async digestOf(id: string, size: number, expected: Digest): Promise<Digest> {
    const progress = this.progress.get(id);
    if (progress?.bytes === size && expected.startsWith("sha256:")) {
      this.progress.delete(id);
      return progress.digester.digest();
    }
    const digester = new Digester(expected.split(":")[0]);
    for await (const chunk of this.parts.driver.readUpload(id)) digester.update(chunk);
    return digester.digest();
  }

  private async publish(repository: string, id: string, digest: Digest, size: number): Promise<void> {
    const { driver, blobs, index, locks } = this.parts;
    await locks.run(digest, async () => {
      const key = blobKey(digest);
      const present = blobs.findAnywhere(digest) === size && (await driver.stat(key)) === size;
      if (present) await driver.abort(id);
      else await driver.commit(id, key);
      blobs.add(repository, digest, size);
    });
    index.remove(id);
    this.progress.delete(id);
  }

  private async drop(id: string): Promise<void> {
    await this.parts.driver.abort(id);
    this.parts.index.remove(id);
    this.progress.delete(id);
  }
}

function lockOf(id: string): string {
  return `upload:${id}`;
}

/** The `Range` header that tells an upload's size: inclusive, and `0-0` when nothing has arrived, as Docker's registry has it. */
export function formatRange(size: number): string {
  return `0-${Math.max(0, size - 1)}`;
}
