/**
 * Garbage collection while pushes go on. Order: stale uploads, untagged manifests (if wanted), links without lease that no manifest needs,
 * blobs without link (row first, then bytes), bytes without row (a commit that was cut short). Each step may be cut off anywhere.
 */
import type { KeyLocks } from "../base/key-locks.ts";
import type { BlobIndex, LinkCursor } from "./metadata/blob-index.ts";
import type { ManifestIndex } from "./metadata/manifest-index.ts";
import type { UploadIndex } from "./metadata/upload-index.ts";
import { blobKey, digestOfKey, type StorageDriver } from "./storage/driver.ts";
import type { Uploads } from "./uploads.ts";

export interface CollectorParts {
  readonly driver: StorageDriver;
  readonly blobs: BlobIndex;
  readonly manifests: ManifestIndex;
  readonly index: UploadIndex;
  readonly uploads: Uploads;
  readonly locks: KeyLocks;
  /** Bytes without row that are younger belong to a commit under way. */
  readonly leaseMillis: number;
  readonly uploadMillis: number;
  readonly untagged: boolean;
}

export interface Collected {
  uploads: number;
  manifests: number;
  links: number;
  blobs: number;
  /** Freed in the storage, uploads not counted. */
  bytes: number;
}

export class Collector {
  private readonly parts: CollectorParts;
  private running: Promise<Collected> | undefined;

  constructor(parts: CollectorParts) {
    this.parts = parts;
  }

  /** One collection; a call during one joins it. */
  run(): Promise<Collected> {
    this.running ??= this.collect().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  private async collect(): Promise<Collected> {
    const now = Date.now();
    const { manifests, untagged } = this.parts;
    const done: Collected = { uploads: 0, manifests: 0, links: 0, blobs: 0, bytes: 0 };
    done.uploads = await this.collectUploads(now - this.parts.uploadMillis);
    if (untagged) done.manifests = manifests.collectUntagged(now);
    done.links = await this.collectLinks(now);
    await this.collectBlobs(done);
    await this.collectStrays(now - this.parts.leaseMillis, done);
    return done;
  }

  private async collectUploads(before: number): Promise<number> {
    const { driver, index, uploads, locks } = this.parts;
    const stale = index.stale(before).filter((id) => !locks.isHeld(`upload:${id}`));
    for await (const { key, modified } of driver.listUploads()) {
      if (modified < before && !index.isKnown(key)) stale.push(key);
    }
    for (const id of stale) await uploads.expire(id);
    return stale.length;
  }

  private async collectLinks(now: number): Promise<number> {
    let removed = 0;
    let cursor: LinkCursor | undefined = { repository: "", digest: "" };
    while (cursor) {
      const window = this.parts.blobs.collectLinks(now, cursor);
      removed += window.removed;
      cursor = window.next;
      await Bun.sleep(0);
    }
    return removed;
  }

  private async collectBlobs(done: Collected): Promise<void> {
    const { blobs, driver, locks } = this.parts;
    let cursor: string | undefined = "";
    while (cursor !== undefined) {
      const window = blobs.unlinked(cursor);
      for (const digest of window.digests) {
        await locks.run(digest, async () => {
          const size = blobs.forget(digest);
          if (size === undefined) return;
          await driver.remove(blobKey(digest));
          done.blobs++;
          done.bytes += size;
        });
      }
      cursor = window.next;
      await Bun.sleep(0);
    }
  }

  private async collectStrays(before: number, done: Collected): Promise<void> {
    const { blobs, driver, locks } = this.parts;
    for await (const { key, size, modified } of driver.list()) {
      const digest = digestOfKey(key);
      if (digest === undefined || modified >= before || blobs.findAnywhere(digest) !== undefined) continue;
      await locks.run(digest, async () => {
        if (blobs.findAnywhere(digest) !== undefined) return;
        await driver.remove(key);
        done.blobs++;
        done.bytes += size;
      });
    }
  }
}
