/**
 * Uploads: begun, appended to in any number of requests, finished under a digest that is verified, resumable after a cut connection or a
 * restart. Bytes are hashed as they arrive; only an upload that outlived a restart, went on at another instance, or whose digest is of
 * an algorithm that was not announced, is read again.
 *
 * Requests to one upload run one after another, and so do those that make or remove one digest's bytes (the collector's included).
 */

import { KeyLocks } from "../../base/key-locks.ts";
import { algorithmOf, type Digest, Digester } from "../../oci/digest.ts";
import { RegistryError } from "../api/http-error.ts";
import { type ByteRange, checkUploadId } from "../api/names.ts";
import type { BlobIndex } from "../metadata/blob-index.ts";
import type { Database } from "../metadata/database.ts";
import type { UploadIndex } from "../metadata/upload-index.ts";
import { blobKey, type StorageDriver, type UploadWriter } from "../storage/driver.ts";

const renewMillis = 5_000;
/** How long a client that comes back by way of another instance waits for the first to notice that its connection is gone. */
const claimAttempts = 10;
const claimWaitMillis = 500;

/** What was hashed so far of an upload. */
interface Progress {
  readonly algorithm: string;
  readonly digester: Digester;
  bytes: number;
}

export interface UploadParts {
  readonly driver: StorageDriver;
  readonly database: Database;
  readonly blobs: BlobIndex;
  readonly index: UploadIndex;
  readonly maxBlobBytes: number;
  readonly received: (bytes: number) => void;
  /** Throws when the repository may not hold so many bytes more. */
  readonly admit: (repository: string, digest: Digest, size: number) => Promise<void>;
}

export type Body = AsyncIterable<Uint8Array> | null;

export class Uploads {
  private readonly parts: UploadParts;
  private readonly progress = new Map<string, Progress>();
  private readonly locks = new KeyLocks();

  constructor(parts: UploadParts) {
    this.parts = parts;
  }

  /** Begins an upload and returns its id. */
  async start(repository: string, algorithm = "sha256"): Promise<string> {
    const id = crypto.getRandomValues(new Uint8Array(16)).toHex();
    await this.parts.index.add(id, repository);
    const writer = await this.parts.driver.upload(id, true);
    await writer?.close();
    this.progress.set(id, { algorithm, digester: new Digester(algorithm), bytes: 0 });
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

  /** Appends the last body and makes the upload a blob of the repository; its size. One whose digest is wrong is dropped. */
  async finish(repository: string, id: string, digest: Digest, body: Body, range?: ByteRange): Promise<number> {
    return this.held(repository, id, async (writer) => {
      await this.receive(id, writer, body, range);
      await writer.close();
      const actual = await this.digestOf(id, writer.size, digest);
      if (actual !== digest) {
        await this.drop(id);
        throw new RegistryError("DIGEST_INVALID", undefined, { detail: { expected: digest, actual } });
      }
      await this.publish(repository, id, digest, writer.size);
      return writer.size;
    });
  }

  async cancel(repository: string, id: string): Promise<void> {
    await this.held(repository, id, async (writer) => {
      await writer.close();
      await this.drop(id);
    });
  }

  /** Whether a request of this process works on the upload. */
  isHeld(id: string): boolean {
    return this.locks.isHeld(id);
  }

  /** Drops an upload that nobody touched for long. */
  async expire(id: string): Promise<void> {
    await this.locks.run(id, () => this.drop(id));
  }

  private async held<T>(repository: string, id: string, work: (writer: UploadWriter) => Promise<T>): Promise<T> {
    const { driver, database, index } = this.parts;
    checkUploadId(id);
    return this.locks.run(id, async () => {
      if (database.shared) await this.claim(repository, id);
      const renewal = database.shared ? setInterval(() => this.renew(id), renewMillis) : undefined;
      try {
        const known = database.shared || (await index.has(id, repository));
        const writer = known ? await driver.upload(id, false) : undefined;
        if (!writer) throw new RegistryError("BLOB_UPLOAD_UNKNOWN");
        try {
          return await work(writer);
        } finally {
          await writer.close();
        }
      } finally {
        clearInterval(renewal);
        if (database.shared) await index.release(id);
      }
    });
  }

  /** One that fails is made up for by the next. */
  private renew(id: string): void {
    Promise.resolve(this.parts.index.touch(id)).catch(() => undefined);
  }

  private async claim(repository: string, id: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const claim = await this.parts.index.claim(id, repository);
      if (claim === undefined) throw new RegistryError("BLOB_UPLOAD_UNKNOWN");
      // What another instance has written since was not hashed here.
      if (claim === "other") this.progress.delete(id);
      if (claim !== "held") return;
      if (attempt === claimAttempts)
        throw new RegistryError("UNAVAILABLE", "another request is writing to this upload");
      await Bun.sleep(claimWaitMillis);
    }
  }

  private async receive(id: string, writer: UploadWriter, body: Body, range: ByteRange | undefined): Promise<void> {
    const first = writer.size;
    if (range && range.start !== first) {
      throw new RegistryError("RANGE_INVALID", undefined, { headers: { range: formatRange(first) } });
    }
    if (!body) return;
    const progress = this.progress.get(id);
    await this.parts.index.touch(id);
    for await (const chunk of body) {
      if (writer.size + chunk.length > this.parts.maxBlobBytes) {
        await writer.close();
        await this.drop(id);
        throw new RegistryError("SIZE_INVALID", `blob is larger than ${this.parts.maxBlobBytes} bytes`, {
          status: 413,
        });
      }
      const at = writer.size;
      await writer.write(chunk);
      if (progress?.bytes !== at) continue;
      progress.digester.update(chunk);
      progress.bytes += chunk.length;
    }
    this.parts.received(writer.size - first);
    if (range && writer.size !== range.end + 1) throw new RegistryError("SIZE_INVALID");
  }

  private async digestOf(id: string, size: number, expected: Digest): Promise<Digest> {
    const progress = this.progress.get(id);
    const algorithm = algorithmOf(expected);
    if (progress?.bytes === size && progress.algorithm === algorithm) {
      this.progress.delete(id);
      return progress.digester.digest();
    }
    const digester = new Digester(algorithm);
    for await (const chunk of this.parts.driver.readUpload(id)) digester.update(chunk);
    return digester.digest();
  }

  private async publish(repository: string, id: string, digest: Digest, size: number): Promise<void> {
    const { driver, database, blobs, index } = this.parts;
    try {
      await this.parts.admit(repository, digest, size);
    } catch (error) {
      await this.drop(id);
      throw error;
    }
    await database.lock(digest, async () => {
      const key = blobKey(digest);
      const present = (await blobs.findAnywhere(digest)) === size && (await driver.stat(key)) === size;
      if (present) await driver.abort(id);
      else await driver.commit(id, key);
      await blobs.add(repository, digest, size);
    });
    await index.remove(id);
    this.progress.delete(id);
  }

  private async drop(id: string): Promise<void> {
    await this.parts.driver.abort(id);
    await this.parts.index.remove(id);
    this.progress.delete(id);
  }
}

/** The `Range` header that tells an upload's size: inclusive, and `0-0` when nothing has arrived, as Docker's registry has it. */
export function formatRange(size: number): string {
  return `0-${Math.max(0, size - 1)}`;
}
