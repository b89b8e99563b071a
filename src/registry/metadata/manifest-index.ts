/** Manifests with their bytes, and what refers to what. */
import type { Digest } from "../../oci/digest.ts";
import { type Awaitable, all, change, type Database, get, inGroups, type Value, type Work } from "./database.ts";

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
  readonly artifactType?: string;
  readonly annotations?: Record<string, string>;
}

export interface Page {
  /** At most this many. */
  readonly limit: number;
  /** Only what comes after. */
  readonly after: string;
}

export interface PutOptions {
  readonly tags: readonly string[];
  /** Whether a tag that is there must not be pointed at another manifest. */
  readonly isImmutable: (tag: string) => boolean;
  /** What the manifest refers to need not be here: it is fetched when it is asked for. */
  readonly sparse?: boolean;
}

/** Thrown out of a transaction, so that nothing of it remains. */
export class ImmutableTagError extends Error {
  override readonly name = "ImmutableTagError";
  readonly tag: string;

  constructor(tag: string) {
    super(`tag ${tag} is immutable`);
    this.tag = tag;
  }
}

export class ManifestIndex {
  private readonly database: Database;
  private readonly leaseMillis: number;

  constructor(database: Database, leaseMillis: number) {
    this.database = database;
    this.leaseMillis = leaseMillis;
  }

  /** By digest; a client that learns that a manifest exists may be about to push an index of it, so this takes a lease. */
  find(repository: string, digest: Digest): Awaitable<StoredManifest | undefined> {
    return this.database.run(this.finding(repository, digest));
  }

  private *finding(repository: string, digest: Digest): Work<StoredManifest | undefined> {
    const row = yield* get<StoredManifest & { lease: number }>(
      `SELECT digest, media_type AS "mediaType", content, lease FROM manifests WHERE repository = ? AND digest = ?`,
      ...[repository, digest],
    );
    if (!row || row.lease >= Date.now() + this.leaseMillis) return row;
    const renewed = yield* change(
      "UPDATE manifests SET lease = ? WHERE repository = ? AND digest = ?",
      ...[this.newLease(), repository, digest],
    );
    return renewed > 0 ? row : undefined;
  }

  findByTag(repository: string, tag: string): Awaitable<StoredManifest | undefined> {
    return this.database.run(
      get<StoredManifest>(
        `SELECT m.digest, m.media_type AS "mediaType", m.content FROM tags t JOIN manifests m USING (repository, digest)
         WHERE t.repository = ? AND t.name = ?`,
        ...[repository, tag],
      ),
    );
  }

  /**
   * Stores a manifest and points the tags at it: all on disk when this is over. Returns what it refers to and is not in the repository;
   * if that is anything, nothing was stored. All of it gets a new lease in the same transaction, so nothing can be collected in between.
   * Throws ImmutableTagError.
   */
  put(repository: string, manifest: NewManifest, options: PutOptions): Awaitable<Digest[]> {
    return this.database.durable(() => this.putting(repository, manifest, options));
  }

  private *putting(repository: string, manifest: NewManifest, options: PutOptions): Work<Digest[]> {
    const missing = options.sparse ? [] : yield* this.missing(repository, manifest);
    if (missing.length > 0) return missing;
    const now = Date.now();
    for (const tag of options.tags) {
      const only = options.isImmutable(tag) ? "WHERE tags.digest = excluded.digest" : "";
      const set = yield* change(
        `INSERT INTO tags VALUES (?, ?, ?, ?) ON CONFLICT (repository, name)
         DO UPDATE SET digest = excluded.digest, updated = excluded.updated ${only}`,
        ...[repository, tag, manifest.digest, now],
      );
      if (set === 0) throw new ImmutableTagError(tag);
    }
    const { digest, mediaType, content, subject = null, artifactType, annotations } = manifest;
    yield* change(
      `INSERT INTO manifests VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (repository, digest)
       DO UPDATE SET lease = excluded.lease, media_type = excluded.media_type`,
      ...[repository, digest, mediaType, content, subject, artifactType],
      ...[annotations ? JSON.stringify(annotations) : null, this.newLease()],
    );
    yield* addReferences(repository, digest, manifest.blobs, "blob");
    yield* addReferences(repository, digest, manifest.manifests, "manifest");
    return [];
  }

  /** Renews the leases of what is there; in one order, so that two of these do not wait for each other. */
  private *missing(repository: string, { blobs, manifests }: NewManifest): Work<Digest[]> {
    const lease = this.newLease();
    const absent: Digest[] = [];
    for (const [table, digests] of [
      ["links", blobs],
      ["manifests", manifests],
    ] as const) {
      const rows = yield* inGroups<{ digest: Digest }>(digests.toSorted(), (placeholders, group) =>
        all(
          `UPDATE ${table} SET lease = ? WHERE repository = ? AND digest IN (${placeholders}) RETURNING digest`,
          ...[lease, repository, ...group],
        ),
      );
      const present = new Set(rows.map((row) => row.digest));
      absent.push(...digests.filter((digest) => !present.has(digest)));
    }
    return absent;
  }

  async has(repository: string, digest: Digest): Promise<boolean> {
    const sql = "SELECT 1 FROM manifests WHERE repository = ? AND digest = ?";
    return (await this.database.run(get(sql, repository, digest))) !== undefined;
  }

  /** Removes a manifest and the tags that point at it; false when there is none. On disk when it is over. */
  delete(repository: string, digest: Digest): Awaitable<boolean> {
    return this.database.durable(function* () {
      yield* change("DELETE FROM tags WHERE repository = ? AND digest = ?", repository, digest);
      return yield* removeManifest(repository, digest);
    });
  }

  /** The tags that point at a manifest. */
  async tagsOf(repository: string, digest: Digest): Promise<string[]> {
    const sql = "SELECT name FROM tags WHERE repository = ? AND digest = ? ORDER BY name";
    return (await this.database.run(all<{ name: string }>(sql, repository, digest))).map((row) => row.name);
  }

  async referrers(
    repository: string,
    subject: Digest,
    artifactType: string | undefined,
    page: Page,
  ): Promise<Referrer[]> {
    const filter = artifactType === undefined ? "" : "AND artifact_type = ?";
    const rows = await this.database.run(
      all<Required<Omit<Referrer, "annotations">> & { annotations: string | null }>(
        `SELECT media_type AS "mediaType", digest, length(content) AS size, artifact_type AS "artifactType", annotations
         FROM manifests WHERE repository = ? AND subject = ? AND digest > ? ${filter} ORDER BY digest LIMIT ?`,
        ...[repository, subject, page.after, ...(artifactType === undefined ? [] : [artifactType]), page.limit],
      ),
    );
    return rows.map(({ annotations, artifactType: type, ...rest }) => ({
      ...rest,
      ...(type === "" ? {} : { artifactType: type }),
      ...(annotations === null ? {} : { annotations: JSON.parse(annotations) as Record<string, string> }),
    }));
  }

  /**
   * Removes manifests without lease that have no tag, are in no index, and do not refer to a subject that is there; returns how many. An
   * index that goes sets its children free, so this repeats until nothing goes. Only in the repositories that `isMeant`.
   */
  async collectUntagged(now: number, isMeant: (repository: string) => boolean): Promise<number> {
    let removed = 0;
    let gone: number;
    do {
      gone = await this.collectLoose(now, isMeant);
      removed += gone;
    } while (gone > 0);
    return removed;
  }

  private async collectLoose(now: number, isMeant: (repository: string) => boolean): Promise<number> {
    let removed = 0;
    let after: LooseRow | undefined = { repository: "", digest: "" };
    while (after) {
      const rows: LooseRow[] = await this.database.run(
        all<LooseRow>(
          `SELECT repository, digest FROM manifests WHERE (repository, digest) > (?, ?) AND lease < ? AND ${isLoose}
           ORDER BY repository, digest LIMIT 500`,
          ...[after.repository, after.digest, now],
        ),
      );
      for (const { repository, digest } of rows.filter((row) => isMeant(row.repository))) {
        if (
          await this.database.transaction(() => removeManifest(repository, digest, `AND lease < ? AND ${isLoose}`, now))
        )
          removed++;
      }
      after = rows.at(-1);
      await Bun.sleep(0);
    }
    return removed;
  }

  private newLease(): number {
    return Date.now() + Math.ceil(this.leaseMillis * 1.5);
  }
}

interface LooseRow {
  readonly repository: string;
  readonly digest: Digest;
}

/** Of a row of `manifests`. */
const isLoose = `
  NOT EXISTS (SELECT 1 FROM tags t WHERE t.repository = manifests.repository AND t.digest = manifests.digest)
  AND NOT EXISTS (SELECT 1 FROM refs r WHERE r.repository = manifests.repository AND r.child = manifests.digest)
  AND NOT EXISTS (SELECT 1 FROM manifests s WHERE s.repository = manifests.repository AND s.digest = manifests.subject)`;

function* addReferences(repository: string, manifest: Digest, children: readonly Digest[], kind: string): Work<void> {
  for (const child of children) {
    yield* change(
      "INSERT INTO refs VALUES (?, ?, ?, ?) ON CONFLICT (repository, manifest, child) DO NOTHING",
      ...[repository, manifest, child, kind],
    );
  }
}

/** Whether it was there and met the condition. */
function* removeManifest(repository: string, digest: Digest, condition = "", ...values: Value[]): Work<boolean> {
  const sql = `DELETE FROM manifests WHERE repository = ? AND digest = ? ${condition}`;
  if ((yield* change(sql, repository, digest, ...values)) === 0) return false;
  yield* change("DELETE FROM refs WHERE repository = ? AND manifest = ?", repository, digest);
  return true;
}
