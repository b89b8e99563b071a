/**
 * The contract of the content store: blobs named by their digest.
 *
 * A *blob* is immutable and whole: it becomes visible at one instant, after its digest was verified and its bytes are durable.
 * An *ingest* is a blob on its way in, known by a `key` that the writer chooses. It survives the daemon: opening the same key again
 * goes on at `offset`. One writer at a time holds an ingest.
 *
 * Stored are image configs and manifests. The blob of a layer is here only while it travels: once unpacked, the layer store can
 * give back its exact tar, and the blob is deleted.
 */
import type { Bytes } from "../base/streams.ts";
import type { Digest } from "../oci/digest.ts";

export interface BlobInfo {
  digest: Digest;
  /** Bytes. */
  size: number;
  mediaType: string;
}

/** Reads blobs. */
export interface Provider {
  find(digest: Digest): BlobInfo | undefined;
  /** A small blob (config, manifest) at once. Throws `not-found`. */
  read(digest: Digest): Uint8Array;
  /** A blob of any size, from `offset` bytes on. Throws `not-found` at once. */
  open(digest: Digest, offset?: number): Bytes;
}

/** Writes blobs. */
export interface Ingester {
  /** Stores a small blob; idempotent. When it resolves, the content is durable under the returned digest. */
  put(content: Uint8Array, mediaType: string): Promise<Digest>;
  /** Opens the ingest of this key, new or left from before. Rejects `conflict` while another writer holds it. */
  ingest(key: string): Promise<Ingest>;
}

export interface Ingest {
  /** Bytes that are already here. */
  readonly offset: number;
  /** All of it, or, when it rejects, none. */
  write(chunk: Uint8Array): Promise<void>;
  /** Up to `length` of the bytes that are here, from `position` on; fewer at the end. May be called while another write runs. */
  read(position: number, length: number): Promise<Uint8Array>;
  /** Forgets what was written, to start again at offset 0. */
  truncate(): Promise<void>;
  /**
   * Makes the blob visible, or, when it exists already, drops the ingest. Rejects `invalid-argument` when digest or size differ from
   * what is expected; the ingest is then removed, since what it holds cannot be trusted.
   */
  commit(expected: { digest: Digest; size?: number | undefined; mediaType: string }): Promise<BlobInfo>;
  /** Lets go and keeps what was written for a later `ingest` of the same key. Idempotent, a no-op after commit. */
  close(): Promise<void>;
  /** Lets go and removes what was written. */
  abort(): Promise<void>;
}

export interface IngestInfo {
  key: string;
  /** Bytes written so far. */
  offset: number;
  /** Milliseconds since 1970 of the last write. */
  updated: number;
}

/** Looks after blobs and ingests. */
export interface Manager {
  list(): BlobInfo[];
  /** Idempotent. */
  delete(digest: Digest): Promise<void>;
  ingests(): Promise<IngestInfo[]>;
  /** Removes the partial data of a key that nobody holds; idempotent. */
  abandon(key: string): Promise<void>;
}

export interface ContentStore extends Provider, Ingester, Manager {}
