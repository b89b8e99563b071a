/**
 * The registry's database, drawn as a tree: one SQLite file (WAL), `<root>/registry.db`, or a PostgreSQL database. Blobs are in the
 * storage driver.
 *
 *   blobs       digest → size                     bytes that the storage holds
 *   links       (repository, digest) → lease      a repository may serve the blob
 *   manifests   (repository, digest) → media type · content · subject · artifact type · annotations · lease
 *   refs        (repository, manifest) → child · kind: `blob` | `manifest`
 *   tags        (repository, name) → digest · updated
 *   uploads     id → repository · touched · holder: the instance that wrote last · held until
 *   events      id → endpoint · body · attempts · due           notifications to be delivered
 *   keys        id → private key · created                       the token server's, the newest signs
 *   refreshes   hash → user · service · created                  refresh tokens, by their hash
 *
 * A lease is the time (ms since the epoch) until which garbage collection leaves a row alone, because a client was told that the thing
 * exists and may be about to refer to it. A row in `blobs` is written after the bytes are in place and removed before they go.
 */

/** Applied in order, each in one transaction; `user_version` counts them. Never edit one that has been released: add another. */
export const sqliteMigrations: readonly string[] = [
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
  `
  ALTER TABLE uploads ADD COLUMN holder TEXT;
  ALTER TABLE uploads ADD COLUMN held_until INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE events (id TEXT PRIMARY KEY, endpoint TEXT NOT NULL, body TEXT NOT NULL, attempts INTEGER NOT NULL,
    due INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX events_by_due ON events (endpoint, due);
  CREATE TABLE keys (id TEXT PRIMARY KEY, private TEXT NOT NULL, created INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE refreshes (hash TEXT PRIMARY KEY, user TEXT NOT NULL, service TEXT NOT NULL,
    created INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
];

/** Times and sizes are of the type that JavaScript's numbers are; names compare by their bytes, as SQLite does it. */
export const postgresMigrations: readonly string[] = [
  `
  CREATE DOMAIN name_text AS TEXT COLLATE "C";
  CREATE TABLE blobs (digest name_text PRIMARY KEY, size DOUBLE PRECISION NOT NULL);
  CREATE TABLE links (repository name_text NOT NULL, digest name_text NOT NULL, lease DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (repository, digest));
  CREATE INDEX links_by_digest ON links (digest);
  CREATE TABLE manifests (
    repository name_text NOT NULL, digest name_text NOT NULL, media_type TEXT NOT NULL, content BYTEA NOT NULL,
    subject name_text, artifact_type TEXT NOT NULL, annotations TEXT, lease DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (repository, digest));
  CREATE INDEX manifests_by_subject ON manifests (repository, subject, digest) WHERE subject IS NOT NULL;
  CREATE TABLE refs (repository name_text NOT NULL, manifest name_text NOT NULL, child name_text NOT NULL,
    kind TEXT NOT NULL, PRIMARY KEY (repository, manifest, child));
  CREATE INDEX refs_by_child ON refs (repository, child);
  CREATE TABLE tags (repository name_text NOT NULL, name name_text NOT NULL, digest name_text NOT NULL,
    updated DOUBLE PRECISION NOT NULL, PRIMARY KEY (repository, name));
  CREATE INDEX tags_by_digest ON tags (repository, digest);
  CREATE TABLE uploads (id name_text PRIMARY KEY, repository name_text NOT NULL, touched DOUBLE PRECISION NOT NULL,
    holder TEXT, held_until DOUBLE PRECISION NOT NULL DEFAULT 0);
  CREATE TABLE events (id name_text PRIMARY KEY, endpoint TEXT NOT NULL, body TEXT NOT NULL, attempts INTEGER NOT NULL,
    due DOUBLE PRECISION NOT NULL);
  CREATE INDEX events_by_due ON events (endpoint, due);
  CREATE TABLE keys (id name_text PRIMARY KEY, private TEXT NOT NULL, created DOUBLE PRECISION NOT NULL);
  CREATE TABLE refreshes (hash name_text PRIMARY KEY, "user" TEXT NOT NULL, service TEXT NOT NULL,
    created DOUBLE PRECISION NOT NULL);
  `,
];
