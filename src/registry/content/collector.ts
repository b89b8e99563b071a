/**
 * Garbage collection while pushes go on. Order: stale uploads, tags that no rule keeps, untagged manifests (if wanted), links without lease that no manifest needs,
 * blobs without link (row first, then bytes), bytes without row (a commit that was cut short). Each step may be cut off anywhere.
 */

import type { BlobIndex, LinkCursor } from "../metadata/blob-index.ts";
import type { Database } from "../metadata/database.ts";
import type { ManifestIndex } from "../metadata/manifest-index.ts";
import type { UploadIndex } from "../metadata/upload-index.ts";
import type { PullThrough } from "../mirrors/pull-through.ts";
import type { Retention } from "../policies/retention.ts";
import { blobKey, digestOfKey, type StorageDriver } from "../storage/driver.ts";
import type { Uploads } from "./uploads.ts";

export interface CollectorParts {
  readonly driver: StorageDriver;
  readonly database: Database;
  readonly blobs: BlobIndex;
  readonly manifests: ManifestIndex;
  readonly index: UploadIndex;
  readonly uploads: Uploads;
  /** Bytes without row that are younger belong to a commit under way. */
  readonly leaseMillis: number;
  readonly uploadMillis: number;
  /** Whether manifests without a tag are collected everywhere; else only where tags are removed by rule. */
  readonly untagged: boolean;
  readonly retention: Retention;
  readonly pullThrough: PullThrough | undefined;
}

export interface Collected {
  uploads: number;
  /** By rules of retention, and of mirrors. */
  tags: number;
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
    const { manifests, untagged, retention, pullThrough } = this.parts;
    const done: Collected = { uploads: 0, tags: 0, manifests: 0, links: 0, blobs: 0, bytes: 0 };
    done.uploads = await this.collectUploads(now - this.parts.uploadMillis);
    done.tags = (await retention.run(now)) + ((await pullThrough?.expire(now)) ?? 0);
    done.manifests = await manifests.collectUntagged(
      now,
      (repository) => untagged || retention.concerns(repository) || pullThrough?.isMirrored(repository) === true,
    );
    done.links = await this.collectLinks(now);
    await this.collectBlobs(done);
    await this.collectStrays(now - this.parts.leaseMillis, done);
    return done;
  }

  private async collectUploads(before: number): Promise<number> {
    const { driver, index, uploads } = this.parts;
    const stale = (await index.stale(before)).filter((id) => !uploads.isHeld(id));
    for await (const { key, modified } of driver.listUploads()) {
      if (modified < before && !(await index.isKnown(key))) stale.push(key);
    }
    for (const id of stale) await uploads.expire(id);
    return stale.length;
  }

  private async collectLinks(now: number): Promise<number> {
    let removed = 0;
    let cursor: LinkCursor | undefined = { repository: "", digest: "" };
    while (cursor) {
      const window: { removed: number; next: LinkCursor | undefined } = await this.parts.blobs.collectLinks(
        now,
        cursor,
      );
      removed += window.removed;
      cursor = window.next;
      await Bun.sleep(0);
    }
    return removed;
  }

  private async collectBlobs(done: Collected): Promise<void> {
    const { blobs, driver, database } = this.parts;
    let cursor: string | undefined = "";
    while (cursor !== undefined) {
      const window: { digests: string[]; next: string | undefined } = await blobs.unlinked(cursor);
      for (const digest of window.digests) {
        await database.lock(digest, async () => {
          const size = await blobs.forget(digest);
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
    const { blobs, driver, database } = this.parts;
    for await (const { key, size, modified } of driver.list()) {
      const digest = digestOfKey(key);
      if (digest === undefined || modified >= before || (await blobs.findAnywhere(digest)) !== undefined) continue;
      await database.lock(digest, async () => {
        if ((await blobs.findAnywhere(digest)) !== undefined) return;
        await driver.remove(key);
        done.blobs++;
        done.bytes += size;
      });
    }
  }
}
