/**
 * Which blobs there are, which repositories may serve them, and until when garbage collection must keep its hands off them.
 *
 * INVARIANT: whoever is told that a blob exists (upload, HEAD, mount) holds a lease on its link from then on. A lease is taken and a link
 * is collected in one synchronous step each, so a collection either sees the lease or has removed the link before the answer.
 */
import type { Digest } from "../../oci/digest.ts";
import type { RegistryDatabase } from "./database.ts";

const windowSize = 1000;

export interface LinkCursor {
  readonly repository: string;
  readonly digest: Digest;
}

export class BlobIndex {
  private readonly database: RegistryDatabase;
  private readonly leaseMillis: number;

  constructor(database: RegistryDatabase, leaseMillis: number) {
    this.database = database;
    this.leaseMillis = leaseMillis;
  }

  /** Size in bytes of a blob that the repository may serve. Reading takes no lease: a puller refers to nothing. */
  find(repository: string, digest: Digest): number | undefined {
    return this.database.get<{ size: number }>(
      "SELECT b.size FROM links l JOIN blobs b USING (digest) WHERE l.repository = ? AND l.digest = ?",
      repository,
      digest,
    )?.size;
  }

  /** As `find`, for a client that may be about to push a manifest that refers to the blob: takes a lease. */
  promise(repository: string, digest: Digest): number | undefined {
    const found = this.database.get<{ size: number; lease: number }>(
      "SELECT b.size, l.lease FROM links l JOIN blobs b USING (digest) WHERE l.repository = ? AND l.digest = ?",
      repository,
      digest,
    );
    // Leases are half as long again as promised, so that one is written once in a while only: HEAD is the most frequent request of all.
    if (found && found.lease < Date.now() + this.leaseMillis) this.link(repository, digest);
    return found?.size;
  }

  /** Whether any repository holds the blob. */
  findAnywhere(digest: Digest): number | undefined {
    return this.database.get<{ size: number }>("SELECT size FROM blobs WHERE digest = ?", digest)?.size;
  }

  /** Enters a blob whose bytes are in place, and links it to the repository under a lease. */
  add(repository: string, digest: Digest, size: number): void {
    this.database.transaction(() => {
      this.database.run("INSERT INTO blobs VALUES (?, ?) ON CONFLICT DO UPDATE SET size = excluded.size", digest, size);
      this.link(repository, digest);
    });
  }

  /** Links a blob that exists under a lease. */
  link(repository: string, digest: Digest): void {
    this.database.run(
      "INSERT INTO links VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET lease = excluded.lease",
      repository,
      digest,
      Date.now() + Math.ceil(this.leaseMillis * 1.5),
    );
  }

  /** Whether a manifest of the repository refers to the blob. */
  isReferenced(repository: string, digest: Digest): boolean {
    const row = this.database.get("SELECT 1 FROM refs WHERE repository = ? AND child = ? LIMIT 1", repository, digest);
    return row !== undefined;
  }

  /** False when there was no link. The bytes stay until garbage is collected. */
  unlink(repository: string, digest: Digest): boolean {
    return this.database.run("DELETE FROM links WHERE repository = ? AND digest = ?", repository, digest) > 0;
  }

  /**
   * Removes links without lease that no manifest needs: mark and sweep in one statement, over a window of rows so that the event loop
   * is not held. Returns the number removed and where the next window begins, undefined after the last.
   */
  collectLinks(now: number, after: LinkCursor): { removed: number; next: LinkCursor | undefined } {
    const rows = this.database.all<LinkCursor>(
      "SELECT repository, digest FROM links WHERE (repository, digest) > (?, ?) ORDER BY repository, digest LIMIT ?",
      ...[after.repository, after.digest, windowSize],
    );
    const last = rows.at(-1);
    if (!last) return { removed: 0, next: undefined };
    const removed = this.database.run(
      `DELETE FROM links WHERE (repository, digest) > (?, ?) AND (repository, digest) <= (?, ?) AND lease < ? AND NOT EXISTS
         (SELECT 1 FROM refs r WHERE r.repository = links.repository AND r.child = links.digest)`,
      ...[after.repository, after.digest, last.repository, last.digest, now],
    );
    return { removed, next: last };
  }

  /** Blobs that no repository links to, by windows as `collectLinks`. */
  unlinked(after: Digest): { digests: Digest[]; next: Digest | undefined } {
    const rows = this.database.all<{ digest: string; linked: number }>(
      `SELECT digest, EXISTS (SELECT 1 FROM links l WHERE l.digest = b.digest) AS linked
       FROM blobs b WHERE digest > ? ORDER BY digest LIMIT ?`,
      ...[after, windowSize],
    );
    return { digests: rows.filter((row) => row.linked === 0).map((row) => row.digest), next: rows.at(-1)?.digest };
  }

  /** Forgets a blob if still no repository links to it; its size, or undefined when it stays. The bytes may go afterwards. */
  forget(digest: Digest): number | undefined {
    return this.database.get<{ size: number }>(
      "DELETE FROM blobs WHERE digest = ? AND NOT EXISTS (SELECT 1 FROM links l WHERE l.digest = blobs.digest) RETURNING size",
      digest,
    )?.size;
  }
}
