/**
 * The registry's database, drawn as a tree. One SQLite file (WAL), `<root>/registry.db`; blobs are in the storage driver.
 *
 *   blobs       digest → size                     bytes that the storage holds
 *   links       (repository, digest) → lease      a repository may serve the blob
 *   manifests   (repository, digest) → media type · content · subject · artifact type · annotations · lease
 *   refs        (repository, manifest) → child · kind: `blob` | `manifest`
 *   tags        (repository, name) → digest
 *   uploads     id → repository · touched
 *
 * A lease is the time (ms since the epoch) until which garbage collection leaves a row alone, because a client was told that the thing
 * exists and may be about to refer to it. A row in `blobs` is written after the bytes are in place and removed before they go.
 */

/** Applied in order, each in one transaction; `user_version` counts them. Never edit one that has been released: add another. */
export const migrations: readonly string[] = [
  `
  CREATE TABLE blobs (digest TEXT PRIMARY KEY, size INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE links (repository TEXT NOT NULL, digest TEXT NOT NULL, lease INTEGER NOT NULL,
    PRIMARY KEY (repository, digest)) STRICT, WITHOUT ROWID;
  CREATE INDEX links_by_digest ON links (digest);
  CREATE TABLE manifests (
    repository TEXT NOT NULL, digest TEXT NOT NULL, media_type TEXT NOT NULL, content BLOB NOT NULL,
    subject TEXT, artifact_type TEXT NOT NULL, annotations TEXT, lease INTEGER NOT NULL,
    PRIMARY KEY (repository, digest)) STRICT;
  CREATE INDEX manifests_by_subject ON manifests (repository, subject, digest) WHERE subject IS NOT NULL;
  CREATE TABLE refs (repository TEXT NOT NULL, manifest TEXT NOT NULL, child TEXT NOT NULL, kind TEXT NOT NULL,
    PRIMARY KEY (repository, manifest, child)) STRICT, WITHOUT ROWID;
  CREATE INDEX refs_by_child ON refs (repository, child);
  CREATE TABLE tags (repository TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, updated INTEGER NOT NULL,
    PRIMARY KEY (repository, name)) STRICT, WITHOUT ROWID;
  CREATE INDEX tags_by_digest ON tags (repository, digest);
  CREATE TABLE uploads (id TEXT PRIMARY KEY, repository TEXT NOT NULL, touched INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
];
