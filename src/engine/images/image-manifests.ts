/**
 * What the names of pulled and loaded images stand for: their *target*, a manifest or an index, kept byte for byte in the content
 * store, and which of its manifests are here, each with the image it leads to. The images of an index that no name means by itself
 * are its *variants*: other platforms of a name, chosen by `--platform`.
 */
import type { Database } from "../../metadata/database.ts";
import type { Digest } from "../../oci/digest.ts";

export interface PresentManifest {
  digest: Digest;
  image: Digest;
}

/** Targets that a name leads to. */
const named = "SELECT target FROM tags UNION SELECT substr(reference, instr(reference, '@') + 1) FROM digests";

export class ImageManifests {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /** The manifest of this target is here, as this image. Idempotent. */
  add(target: Digest, { digest, image }: PresentManifest): void {
    this.database.run("INSERT OR REPLACE INTO manifests VALUES (?, ?, ?)", target, digest, image);
  }

  of(target: Digest): PresentManifest[] {
    return this.database.all<PresentManifest>("SELECT digest, image FROM manifests WHERE target = ?", target);
  }

  /** The named targets that lead to the image. */
  targetsOf(image: Digest): Digest[] {
    const rows = this.database.all<{ target: Digest }>(
      `SELECT DISTINCT target FROM manifests WHERE image = ? AND target IN (${named}) ORDER BY target`,
      image,
    );
    return rows.map((row) => row.target);
  }

  /** Images without a name of their own that a name leads to with `--platform`. */
  variants(): Set<Digest> {
    const rows = this.database.all<{ image: Digest }>(
      `SELECT DISTINCT image FROM manifests WHERE target IN (${named})
       AND image NOT IN (SELECT image FROM tags UNION SELECT image FROM digests)`,
    );
    return new Set(rows.map((row) => row.image));
  }

  /** Digests of the manifests and indexes that must be kept. */
  kept(): Digest[] {
    const rows = this.database.all<{ digest: Digest }>(
      `SELECT target AS digest FROM (${named}) WHERE target IS NOT NULL
       UNION SELECT digest FROM manifests WHERE target IN (${named})`,
    );
    return rows.map((row) => row.digest);
  }

  forgetImage(image: Digest): void {
    this.database.run("DELETE FROM manifests WHERE image = ?", image);
  }

  /** Drops what no name leads to any more. */
  reconcile(): void {
    this.database.run(
      `DELETE FROM manifests WHERE image NOT IN (SELECT id FROM images) OR target NOT IN (SELECT target FROM (${named}) WHERE target IS NOT NULL)`,
    );
  }
}
