/** Manifests with their bytes, tags and referrers. Pages are in the order of the bytes of names, as the specification wants tags. */
import type { Digest } from "../../oci/digest.ts";
import type { RegistryDatabase } from "./database.ts";

export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly content: Uint8Array;
}

export interface NewManifest extends StoredManifest {
  readonly subject?: Digest;
  readonly artifactType: string;
  readonly annotations?: Record<string, string>;
  readonly blobs: readonly Digest[];
  readonly manifests: readonly Digest[];
}

export interface Referrer {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly artifactType: string;
  readonly annotations?: Record<string, string>;
}

export interface Page {
  /** At most this many. */
  readonly limit: number;
  /** Only what comes after. */
  readonly after: string;
}

export class ManifestIndex {
  private readonly database: RegistryDatabase;
  private readonly leaseMillis: number;

  constructor(database: RegistryDatabase, leaseMillis: number) {
    this.database = database;
    this.leaseMillis = leaseMillis;
  }

  /** By digest; a client that learns that a manifest exists may be about to push an index of it, so this takes a lease. */
  find(repository: string, digest: Digest): StoredManifest | undefined {
    const row = this.database.get<StoredManifest & { lease: number }>(
      "SELECT digest, media_type AS mediaType, content, lease FROM manifests WHERE repository = ? AND digest = ?",
      repository,
      digest,
    );
    const now = Date.now();
    if (row && row.lease < now + this.leaseMillis) {
      this.database.run(
        "UPDATE manifests SET lease = ? WHERE repository = ? AND digest = ?",
        now + Math.ceil(this.leaseMillis * 1.5),
        repository,
        digest,
      );
    }
    return row;
  }

  findByTag(repository: string, tag: string): StoredManifest | undefined {
    return this.database.get<StoredManifest>(
      `SELECT m.digest, m.media_type AS mediaType, m.content FROM tags t JOIN manifests m USING (repository, digest)
       WHERE t.repository = ? AND t.name = ?`,
      repository,
      tag,
    );
  }

  /**
   * Stores a manifest and points the tag, if any, at it: all on disk when this returns. `check` runs inside the same transaction and
   * throws when something that the manifest needs is missing, so nothing can be collected in between.
   */
  put(repository: string, manifest: NewManifest, tag: string | undefined, check: () => void): void {
    const { digest, mediaType, content, subject = null, artifactType, annotations } = manifest;
    const now = Date.now();
    this.database.durable(() => {
      check();
      this.database.run(
        `INSERT INTO manifests VALUES (?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET lease = excluded.lease, media_type = excluded.media_type`,
        ...[repository, digest, mediaType, content, subject, artifactType],
        annotations ? JSON.stringify(annotations) : null,
        now + Math.ceil(this.leaseMillis * 1.5),
      );
      this.addRefs(repository, digest, manifest.blobs, "blob");
      this.addRefs(repository, digest, manifest.manifests, "manifest");
      if (tag === undefined) return;
      this.database.run(
        `INSERT INTO tags VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET digest = excluded.digest, updated = excluded.updated`,
        ...[repository, tag, digest, now],
      );
    });
  }

  private addRefs(repository: string, manifest: Digest, children: readonly Digest[], kind: string): void {
    for (const child of children) {
      this.database.run("INSERT OR IGNORE INTO refs VALUES (?, ?, ?, ?)", repository, manifest, child, kind);
    }
  }

  has(repository: string, digest: Digest): boolean {
    return (
      this.database.get("SELECT 1 FROM manifests WHERE repository = ? AND digest = ?", repository, digest) !== undefined
    );
  }

  /** Removes a manifest and the tags that point at it; false when there is none. On disk when it returns. */
  delete(repository: string, digest: Digest): boolean {
    return this.database.durable(() => this.remove(repository, digest));
  }

  /** Removes a tag only; false when there is none. */
  deleteTag(repository: string, tag: string): boolean {
    return (
      this.database.durable(() =>
        this.database.run("DELETE FROM tags WHERE repository = ? AND name = ?", repository, tag),
      ) > 0
    );
  }

  private remove(repository: string, digest: Digest): boolean {
    this.database.run("DELETE FROM tags WHERE repository = ? AND digest = ?", repository, digest);
    this.database.run("DELETE FROM refs WHERE repository = ? AND manifest = ?", repository, digest);
    return this.database.run("DELETE FROM manifests WHERE repository = ? AND digest = ?", repository, digest) > 0;
  }

  tags(repository: string, page: Page): string[] {
    return this.database
      .all<{ name: string }>(
        "SELECT name FROM tags WHERE repository = ? AND name > ? ORDER BY name LIMIT ?",
        ...[repository, page.after, page.limit],
      )
      .map((row) => row.name);
  }

  /** Repositories that hold a manifest. */
  repositories(page: Page): string[] {
    return this.database
      .all<{ repository: string }>(
        "SELECT DISTINCT repository FROM manifests WHERE repository > ? ORDER BY repository LIMIT ?",
        ...[page.after, page.limit],
      )
      .map((row) => row.repository);
  }

  /** Whether anything was ever pushed to the repository and is still there. */
  isKnown(repository: string): boolean {
    const row = this.database.get(
      `SELECT 1 WHERE EXISTS (SELECT 1 FROM manifests WHERE repository = ?1)
         OR EXISTS (SELECT 1 FROM links WHERE repository = ?1)`,
      repository,
    );
    return row !== undefined;
  }

  referrers(repository: string, subject: Digest, artifactType: string | undefined, page: Page): Referrer[] {
    const rows = this.database.all<Omit<Referrer, "annotations"> & { annotations: string | null }>(
      `SELECT media_type AS mediaType, digest, length(content) AS size, artifact_type AS artifactType, annotations
       FROM manifests WHERE repository = ?1 AND subject = ?2 AND digest > ?3 AND (?4 IS NULL OR artifact_type = ?4)
       ORDER BY digest LIMIT ?5`,
      ...[repository, subject, page.after, artifactType ?? null, page.limit],
    );
    return rows.map(({ annotations, ...rest }) => ({
      ...rest,
      ...(annotations === null ? {} : { annotations: JSON.parse(annotations) as Record<string, string> }),
    }));
  }

  /**
   * Removes manifests without lease that have no tag, are in no index, and do not refer to a subject that is there; returns how many. An
   * index that goes sets its children free, so this repeats until nothing goes.
   */
  collectUntagged(now: number): number {
    return this.database.transaction(() => {
      let removed = 0;
      for (;;) {
        const rows = this.database.all<{ repository: string; digest: string }>(
          `SELECT repository, digest FROM manifests m WHERE lease < ?
             AND NOT EXISTS (SELECT 1 FROM tags t WHERE t.repository = m.repository AND t.digest = m.digest)
             AND NOT EXISTS (SELECT 1 FROM refs r WHERE r.repository = m.repository AND r.child = m.digest)
             AND NOT EXISTS (SELECT 1 FROM manifests s WHERE s.repository = m.repository AND s.digest = m.subject)`,
          now,
        );
        if (rows.length === 0) return removed;
        for (const { repository, digest } of rows) this.remove(repository, digest);
        removed += rows.length;
      }
    });
  }
}
