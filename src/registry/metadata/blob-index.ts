/**
 * Which blobs there are, which repositories may serve them, and until when garbage collection must keep its hands off them.
 *
 * INVARIANT: whoever is told that a blob exists (upload, HEAD, mount) holds a lease on its link from then on. A lease is taken and a link
 * is collected in one statement each, which name the row by its lease: so a collection either finds the new lease, also where it had to
 * wait for the row, or has removed the link before the answer.
 */
import type { Digest } from "../../oci/digest.ts";
import { type Awaitable, all, change, type Database, get, type Work } from "./database.ts";

const windowSize = 1000;

export interface LinkCursor {
  readonly repository: string;
  readonly digest: Digest;
}

export class BlobIndex {
  private readonly database: Database;
  private readonly leaseMillis: number;

  constructor(database: Database, leaseMillis: number) {
    this.database = database;
    this.leaseMillis = leaseMillis;
  }

  /** Size in bytes of a blob that the repository may serve. Reading takes no lease: a puller refers to nothing. */
  async find(repository: string, digest: Digest): Promise<number | undefined> {
    const row = await this.database.run(
      get<{ size: number }>(
        "SELECT b.size FROM links l JOIN blobs b USING (digest) WHERE l.repository = ? AND l.digest = ?",
        ...[repository, digest],
      ),
    );
    return row?.size;
  }

  /** As `find`, for a client that may be about to push a manifest that refers to the blob: takes a lease. */
  promise(repository: string, digest: Digest): Awaitable<number | undefined> {
    return this.database.run(this.promising(repository, digest));
  }

  private *promising(repository: string, digest: Digest): Work<number | undefined> {
    const found = yield* get<{ size: number; lease: number }>(
      "SELECT b.size, l.lease FROM links l JOIN blobs b USING (digest) WHERE l.repository = ? AND l.digest = ?",
      ...[repository, digest],
    );
    // Leases are half as long again as promised, so that one is written once in a while only: HEAD is the most frequent request of all.
    if (!found || found.lease >= Date.now() + this.leaseMillis) return found?.size;
    const renewed = yield* change(
      "UPDATE links SET lease = ? WHERE repository = ? AND digest = ?",
      ...[this.newLease(), repository, digest],
    );
    return renewed > 0 ? found.size : undefined;
  }

  /** Whether any repository holds the blob. */
  async findAnywhere(digest: Digest): Promise<number | undefined> {
    return (await this.database.run(get<{ size: number }>("SELECT size FROM blobs WHERE digest = ?", digest)))?.size;
  }

  /** Enters a blob whose bytes are in place, and links it to the repository under a lease. */
  add(repository: string, digest: Digest, size: number): Awaitable<unknown> {
    const lease = this.newLease();
    return this.database.transaction(function* () {
      yield* change(
        "INSERT INTO blobs VALUES (?, ?) ON CONFLICT (digest) DO UPDATE SET size = excluded.size",
        ...[digest, size],
      );
      yield* change(
        "INSERT INTO links VALUES (?, ?, ?) ON CONFLICT (repository, digest) DO UPDATE SET lease = excluded.lease",
        ...[repository, digest, lease],
      );
    });
  }

  /** Links a blob of another repository, under a lease; false when that does not have it. The caller holds the digest's lock. */
  async mount(repository: string, digest: Digest, from: string): Promise<boolean> {
    const linked = await this.database.run(
      change(
        `INSERT INTO links SELECT ?, l.digest, ? FROM links l JOIN blobs b USING (digest)
         WHERE l.repository = ? AND l.digest = ?
         ON CONFLICT (repository, digest) DO UPDATE SET lease = excluded.lease`,
        ...[repository, this.newLease(), from, digest],
      ),
    );
    return linked > 0;
  }

  /** The repositories that hold a blob; at most `limit`. */
  async holders(digest: Digest, limit: number): Promise<string[]> {
    const rows = await this.database.run(
      all<{ repository: string }>("SELECT repository FROM links WHERE digest = ? LIMIT ?", digest, limit),
    );
    return rows.map((row) => row.repository);
  }

  /** Whether a manifest of the repository refers to the blob. */
  async isReferenced(repository: string, digest: Digest): Promise<boolean> {
    const sql = "SELECT 1 FROM refs WHERE repository = ? AND child = ? LIMIT 1";
    return (await this.database.run(get(sql, repository, digest))) !== undefined;
  }

  /** False when there was no link. The bytes stay until garbage is collected. */
  async unlink(repository: string, digest: Digest): Promise<boolean> {
    const sql = "DELETE FROM links WHERE repository = ? AND digest = ?";
    return (await this.database.run(change(sql, repository, digest))) > 0;
  }

  /**
   * Removes links without lease that no manifest needs: mark and sweep in one statement, over a window of rows so that the event loop
   * is not held. Returns the number removed and where the next window begins, undefined after the last.
   */
  collectLinks(now: number, after: LinkCursor): Awaitable<{ removed: number; next: LinkCursor | undefined }> {
    return this.database.run(this.collecting(now, after));
  }

  private *collecting(now: number, after: LinkCursor): Work<{ removed: number; next: LinkCursor | undefined }> {
    const rows = yield* all<LinkCursor>(
      "SELECT repository, digest FROM links WHERE (repository, digest) > (?, ?) ORDER BY repository, digest LIMIT ?",
      ...[after.repository, after.digest, windowSize],
    );
    const last = rows.at(-1);
    if (!last) return { removed: 0, next: undefined };
    const removed = yield* change(
      `DELETE FROM links WHERE (repository, digest) > (?, ?) AND (repository, digest) <= (?, ?) AND lease < ? AND NOT EXISTS
         (SELECT 1 FROM refs r WHERE r.repository = links.repository AND r.child = links.digest)`,
      ...[after.repository, after.digest, last.repository, last.digest, now],
    );
    return { removed, next: last };
  }

  /** Blobs that no repository links to, by windows as `collectLinks`. */
  async unlinked(after: Digest): Promise<{ digests: Digest[]; next: Digest | undefined }> {
    const rows = await this.database.run(
      all<{ digest: string; linked: number | boolean }>(
        `SELECT digest, EXISTS (SELECT 1 FROM links l WHERE l.digest = b.digest) AS linked
         FROM blobs b WHERE digest > ? ORDER BY digest LIMIT ?`,
        ...[after, windowSize],
      ),
    );
    return { digests: rows.filter((row) => !row.linked).map((row) => row.digest), next: rows.at(-1)?.digest };
  }

  /**
   * Forgets a blob if still no repository links to it; its size, or undefined when it stays. The bytes may go afterwards. The caller holds
   * the digest's lock.
   */
  async forget(digest: Digest): Promise<number | undefined> {
    const row = await this.database.run(
      get<{ size: number }>(
        "DELETE FROM blobs WHERE digest = ? AND NOT EXISTS (SELECT 1 FROM links l WHERE l.digest = blobs.digest) RETURNING size",
        digest,
      ),
    );
    return row?.size;
  }

  private newLease(): number {
    return Date.now() + Math.ceil(this.leaseMillis * 1.5);
  }
}
