/**
 * Images and their names, in the tables `images`, `tags` and `digests`. Each change is one transaction: a crash leaves an image with
 * all its names, or none; blobs and layers that nothing refers to are swept at the next start.
 */
import { internal, notFound } from "../../base/errors.ts";
import type { ContentStore } from "../../content/content.ts";
import type { Database } from "../../metadata/database.ts";
import type { Digest } from "../../oci/digest.ts";
import { type ImageConfig, parseImageConfig } from "../../oci/image-config.ts";
import { mediaTypes } from "../../oci/manifest.ts";
import { formatReference, parseReference, type Reference, withDefaultTag, withDigest } from "../../oci/reference.ts";
import { ImageManifests } from "./image-manifests.ts";
import { createdNanos, type ImageRecord } from "./image-record.ts";

export class ImageStore {
  private readonly database: Database;
  private readonly content: ContentStore;
  readonly manifests: ImageManifests;
  /** Configs never change, so that parsing each once is enough. */
  private readonly configs = new Map<Digest, ImageConfig>();

  constructor(database: Database, content: ContentStore) {
    this.database = database;
    this.content = content;
    this.manifests = new ImageManifests(database);
  }

  /** Stores an image and its config; idempotent: an image that exists keeps its record. */
  async create(record: ImageRecord, config: Uint8Array): Promise<void> {
    // The same image may be removed while its config is written: what counts is that the blob is there in the tick of the insert.
    do await this.content.put(config, mediaTypes.dockerConfig);
    while (!this.content.find(record.id));
    const millis = Number(createdNanos(record) / 1_000_000n);
    this.database.run(
      "INSERT OR IGNORE INTO images VALUES (?, ?, ?)",
      record.id,
      millis,
      JSON.stringify({ ...record, id: undefined }),
    );
  }

  find(id: Digest): ImageRecord | undefined {
    const row = this.database.get<{ doc: string }>("SELECT doc FROM images WHERE id = ?", id);
    return row && toRecord(id, row.doc);
  }

  get(id: Digest): ImageRecord {
    const record = this.find(id);
    if (!record) throw notFound(`No such image: ${id}`);
    return record;
  }

  /** Newest first, without those that only the build cache keeps. */
  list(): ImageRecord[] {
    return this.listAll().filter(({ hidden }) => !hidden);
  }

  /** Newest first, also those that only the build cache keeps. */
  listAll(): ImageRecord[] {
    const rows = this.database.all<{ id: Digest; doc: string }>("SELECT id, doc FROM images ORDER BY created DESC, id");
    return rows.map((row) => toRecord(row.id, row.doc));
  }

  /** Changes what the machine knows of an image, not the image. */
  update(id: Digest, change: { lastTagged?: string; parent?: Digest }): void {
    const record = { ...this.get(id), ...change, id: undefined };
    this.database.run("UPDATE images SET doc = ? WHERE id = ?", JSON.stringify(record), id);
  }

  /** Listings show the image from now on. */
  reveal(id: Digest): void {
    if (!this.get(id).hidden) return;
    this.database.run("UPDATE images SET doc = json_remove(doc, '$.hidden') WHERE id = ?", id);
  }

  /** Removes the image with all its names and its config; the layers are the caller's. */
  async delete(id: Digest): Promise<void> {
    this.database.transaction(() => {
      this.database.run("DELETE FROM tags WHERE image = ?", id);
      this.database.run("DELETE FROM digests WHERE image = ?", id);
      this.manifests.forgetImage(id);
      this.database.run("DELETE FROM images WHERE id = ?", id);
    });
    this.configs.delete(id);
    await this.content.delete(id);
  }

  config(id: Digest): ImageConfig {
    const known = this.configs.get(id);
    if (known) return known;
    const config = parseImageConfig(this.configBytes(id));
    this.configs.set(id, config);
    return config;
  }

  configBytes(id: Digest): Uint8Array {
    return this.content.read(id);
  }

  /** The image whose id begins with these hex digits (`sha256:` may stand before), if exactly one does. */
  lookup(prefix: string): ImageRecord | undefined {
    const hex = prefix.replace(/^sha256:/, "");
    if (!/^[a-f0-9]{1,64}$/.test(hex)) return undefined;
    const rows = this.database.all<{ id: Digest; doc: string }>(
      "SELECT id, doc FROM images WHERE id >= ? AND id < ? AND doc ->> '$.hidden' IS NULL LIMIT 2",
      `sha256:${hex}`,
      `sha256:${hex}g`,
    );
    const [only] = rows;
    return only && rows.length === 1 ? toRecord(only.id, only.doc) : undefined;
  }

  /** Images whose parent this is. */
  children(id: Digest): Digest[] {
    const rows = this.database.all<{ id: Digest }>("SELECT id FROM images WHERE doc ->> '$.parent' = ?", id);
    return rows.map((row) => row.id);
  }

  /** Every image that is a parent of another. */
  parents(): Set<Digest> {
    return new Set(this.list().flatMap((record) => record.parent ?? []));
  }

  /** The image's tags and digests, sorted as dockerd shows them. */
  references(id: Digest): Reference[] {
    const rows = this.database.all<{ reference: string }>(
      "SELECT reference FROM tags WHERE image = ?1 UNION SELECT reference FROM digests WHERE image = ?1 ORDER BY reference",
      id,
    );
    return rows.map((row) => parseReference(row.reference));
  }

  allReferences(): Map<Digest, Reference[]> {
    const rows = this.database.all<{ reference: string; image: Digest }>(
      "SELECT reference, image FROM tags UNION SELECT reference, image FROM digests ORDER BY reference",
    );
    const found = new Map<Digest, Reference[]>();
    for (const row of rows) {
      const list = found.get(row.image);
      const reference = parseReference(row.reference);
      if (list) list.push(reference);
      else found.set(row.image, [reference]);
    }
    return found;
  }

  /** The image of a name; one that has both tag and digest is looked up by digest, one that has neither by `latest`. */
  findByReference(reference: Reference): Digest | undefined {
    const [table, key] = keyOf(reference);
    return this.database.get<{ image: Digest }>(`SELECT image FROM ${table} WHERE reference = ?`, key)?.image;
  }

  /** Tags of one repository, sorted. */
  tagsOf(repository: string): { reference: Reference; image: Digest }[] {
    const rows = this.database.all<{ reference: string; image: Digest }>(
      "SELECT reference, image FROM tags WHERE reference >= ? AND reference < ? ORDER BY reference",
      `${repository}:`,
      `${repository};`,
    );
    return rows.map((row) => ({ reference: parseReference(row.reference), image: row.image }));
  }

  /** The manifest or index that a name stands for; undefined for an image that was made here. */
  targetOf(reference: Reference): Digest | undefined {
    if (reference.digest !== undefined) return reference.digest;
    const key = formatReference(withDefaultTag(reference));
    return (
      this.database.get<{ target: Digest | null }>("SELECT target FROM tags WHERE reference = ?", key)?.target ??
      undefined
    );
  }

  /** The repositories that had a manifest or index. */
  repositoriesOf(target: Digest): string[] {
    const rows = this.database.all<{ reference: string }>(
      "SELECT reference FROM digests WHERE reference LIKE '%@' || ? ORDER BY reference",
      target,
    );
    return rows.map((row) => row.reference.slice(0, row.reference.indexOf("@")));
  }

  /** The names that lead to the image with `--platform`, beside its own. */
  variantReferences(id: Digest): Reference[] {
    const rows = this.manifests
      .targetsOf(id)
      .flatMap((target) =>
        this.database.all<{ reference: string }>(
          "SELECT reference FROM tags WHERE target = ?1 AND image <> ?2 UNION SELECT reference FROM digests WHERE reference LIKE '%@' || ?1 AND image <> ?2 ORDER BY reference",
          ...[target, id],
        ),
      );
    return rows.map((row) => parseReference(row.reference));
  }

  /**
   * Gives the name to this image, whoever had it before; `target` is what a tag stands for. Returns the previous owner if that is
   * another image.
   */
  setReference(reference: Reference, id: Digest, target?: Digest): Digest | undefined {
    const [table, key] = keyOf(reference);
    return this.database.transaction(() => {
      // Whoever removed the image meanwhile must not leave a name that leads nowhere.
      if (!this.find(id)) throw internal(`No such image: ${id}`);
      const previous = this.findByReference(reference);
      if (table === "tags")
        this.database.run("INSERT OR REPLACE INTO tags VALUES (?, ?, ?, ?)", key, id, Date.now(), target ?? null);
      else this.database.run("INSERT OR REPLACE INTO digests VALUES (?, ?)", key, id);
      return previous === id ? undefined : previous;
    });
  }

  /** False when there is no such name. */
  removeReference(reference: Reference): boolean {
    const [table, key] = keyOf(reference);
    return this.database.run(`DELETE FROM ${table} WHERE reference = ?`, key) > 0;
  }
}

function keyOf(reference: Reference): ["tags" | "digests", string] {
  if (reference.digest !== undefined) return ["digests", formatReference(withDigest(reference, reference.digest))];
  return ["tags", formatReference(withDefaultTag(reference))];
}

function toRecord(id: Digest, doc: string): ImageRecord {
  return { ...(JSON.parse(doc) as Omit<ImageRecord, "id">), id };
}
