/**
 * The metadata database, drawn as a tree. One SQLite file (WAL), `<data-root>/metadata.db`; blobs and layers are directories.
 *
 *   containers    id → name (unique) · doc (ContainerRecord)
 *   images        id (config digest) → created · doc (ImageRecord: config, layers, parent, size …)
 *   tags          reference (normalised `docker.io/library/debian:12`) → image id · target: digest of the manifest or index, if one is known
 *   digests       reference (`docker.io/library/debian@sha256:…`) → image id
 *   manifests     (target, digest of one of its manifests) → image id: which platforms of an index are here
 *   layers        diff_id → size · state: `unpacking` (intent) | `ready` | `removing`
 *   layer_blobs   (diff_id, digest, repository) → size · seen: gzipped forms of a layer, and where a registry had them
 *   layer_leases  diff_id → expires (ms since 1970): layers of pulls that did not come to their end
 *   blobs         digest → size · media type
 *   volumes       name → doc (VolumeRecord)
 *   volume_snapshots  name → volume · created (ms since 1970) · doc (SnapshotRecord)
 *   volume_backups    name → doc (BackupRecord)
 *   networks      id → name · doc (NetworkRecord)
 *   endpoints     (network id, container id) → ipv4 (unique per network) · ipv6 · mac · doc
 *   ports         (protocol, host ip, host port) → container id · container port
 *   build_cache   key of a build step → image it led to · description · created · used (ms since 1970) · uses
 *   build_directories  id → type · description · size in bytes · created · used (ms since 1970) · uses
 *   build_history  ref → completed (ms since 1970) · record (BuildHistoryRecord): ended builds, whose logs are files
 *   settings      key → value (engine id …)
 *
 * Every multi-step change records its intent here first, acts, then commits; start-up reconciles what is half done.
 */

/** Applied in order, each in one transaction; `user_version` counts them. Never edit one that has been released: add another. */
export const migrations: readonly string[] = [
  `
  CREATE TABLE containers (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, doc TEXT NOT NULL) STRICT;
  CREATE TABLE images (id TEXT PRIMARY KEY, created INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
  CREATE TABLE tags (reference TEXT PRIMARY KEY, image TEXT NOT NULL, updated INTEGER NOT NULL) STRICT;
  CREATE INDEX tags_by_image ON tags (image);
  CREATE TABLE digests (reference TEXT PRIMARY KEY, image TEXT NOT NULL) STRICT;
  CREATE INDEX digests_by_image ON digests (image);
  CREATE TABLE layers (diff_id TEXT PRIMARY KEY, state TEXT NOT NULL, size INTEGER NOT NULL) STRICT;
  CREATE TABLE blobs (digest TEXT PRIMARY KEY, size INTEGER NOT NULL, media_type TEXT NOT NULL) STRICT;
  CREATE TABLE volumes (name TEXT PRIMARY KEY, doc TEXT NOT NULL) STRICT;
  CREATE TABLE networks (id TEXT PRIMARY KEY, name TEXT NOT NULL, doc TEXT NOT NULL) STRICT;
  CREATE TABLE endpoints (
    network TEXT NOT NULL, container TEXT NOT NULL, ipv4 TEXT, ipv6 TEXT, mac TEXT, doc TEXT NOT NULL,
    PRIMARY KEY (network, container), UNIQUE (network, ipv4), UNIQUE (network, ipv6)) STRICT;
  CREATE INDEX endpoints_by_container ON endpoints (container);
  CREATE TABLE ports (
    protocol TEXT NOT NULL, host_ip TEXT NOT NULL, host_port INTEGER NOT NULL, container TEXT NOT NULL, container_port INTEGER NOT NULL,
    PRIMARY KEY (protocol, host_ip, host_port)) STRICT;
  CREATE INDEX ports_by_container ON ports (container);
  CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  `,
  `
  CREATE TABLE layer_blobs (
    diff_id TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL, repository TEXT NOT NULL, seen INTEGER NOT NULL,
    PRIMARY KEY (diff_id, digest, repository)) STRICT;
  `,
  `
  CREATE TABLE build_cache (
    key TEXT PRIMARY KEY, image TEXT NOT NULL, description TEXT NOT NULL,
    created INTEGER NOT NULL, used INTEGER NOT NULL, uses INTEGER NOT NULL) STRICT;
  CREATE INDEX build_cache_by_image ON build_cache (image);
  `,
  // Ports lead to one endpoint per version of IP.
  "UPDATE endpoints SET doc = json_set(doc, '$.publishes', json('[4]')) WHERE json_extract(doc, '$.publishes') = 1",
  "UPDATE endpoints SET doc = json_set(doc, '$.publishes', json('[]')) WHERE json_extract(doc, '$.publishes') = 0",
  `
  ALTER TABLE tags ADD COLUMN target TEXT;
  CREATE TABLE manifests (
    target TEXT NOT NULL, digest TEXT NOT NULL, image TEXT NOT NULL, PRIMARY KEY (target, digest)) STRICT;
  CREATE INDEX manifests_by_image ON manifests (image);
  `,
  `
  CREATE TABLE volume_snapshots (name TEXT PRIMARY KEY, volume TEXT NOT NULL, created INTEGER NOT NULL, doc TEXT NOT NULL) STRICT;
  CREATE TABLE volume_backups (name TEXT PRIMARY KEY, doc TEXT NOT NULL) STRICT;
  `,
  `
  CREATE TABLE build_directories (
    id TEXT PRIMARY KEY, type TEXT NOT NULL, description TEXT NOT NULL,
    size INTEGER NOT NULL, created INTEGER NOT NULL, used INTEGER NOT NULL, uses INTEGER NOT NULL) STRICT;
  `,
  "CREATE TABLE layer_leases (diff_id TEXT PRIMARY KEY, expires INTEGER NOT NULL) STRICT",
  "CREATE TABLE build_history (ref TEXT PRIMARY KEY, completed INTEGER NOT NULL, record BLOB NOT NULL) STRICT",
];
