/** Remembers the gzipped blobs of layers and the repositories that had them: a push then need not compress, or even send, them. */
import type { Database } from "../../../metadata/database.ts";
import type { Digest } from "../../../oci/digest.ts";

export interface LayerBlob {
  digest: Digest;
  size: number;
}

export class LayerBlobs {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /** `repository` is the full name, `docker.io/library/debian`. */
  remember(diffId: Digest, { digest, size }: LayerBlob, repository: string): void {
    this.database.run(
      "INSERT OR REPLACE INTO layer_blobs VALUES (?, ?, ?, ?, ?)",
      ...[diffId, digest, size, repository, Date.now()],
    );
  }

  /** The blobs of a layer, those seen in this repository first, then the latest. */
  of(diffId: Digest, repository: string): LayerBlob[] {
    return this.database.all<LayerBlob>(
      "SELECT digest, size FROM layer_blobs WHERE diff_id = ?1 GROUP BY digest ORDER BY max(repository = ?2) DESC, max(seen) DESC",
      ...[diffId, repository],
    );
  }

  /** Other repositories of the same registry that had the blob, the latest first. */
  sources(digest: Digest, repository: string): string[] {
    const domain = repository.slice(0, repository.indexOf("/") + 1);
    const rows = this.database.all<{ repository: string }>(
      "SELECT DISTINCT repository FROM layer_blobs WHERE digest = ? AND repository <> ? ORDER BY seen DESC",
      ...[digest, repository],
    );
    return rows.flatMap((row) => (row.repository.startsWith(domain) ? [row.repository.slice(domain.length)] : []));
  }

  /** Drops what belongs to layers that are gone. */
  reconcile(): void {
    this.database.run("DELETE FROM layer_blobs WHERE diff_id NOT IN (SELECT diff_id FROM layers)");
  }
}
