/**
 * Where the registry keeps bytes. A *key* names a finished blob (`sha256/ab/<hex>`), an *upload* a blob that is still growing.
 * What exists and who may see it is the metadata's business; a driver only promises that bytes under a key are whole and stay.
 */
export interface StoredObject {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly modified: number;
}

/** An upload held open by one request. The caller sees to it that there is only one at a time. */
export interface UploadWriter {
  /** Bytes stored so far, those of earlier requests included. */
  readonly size: number;
  /** Appends; resolves when the chunk may be reused. */
  write(chunk: Uint8Array): Promise<void>;
  /** Stores what was written; the upload stays and can be opened again. Does nothing when closed already. */
  close(): Promise<void>;
}

export interface StorageDriver {
  /** The size of a blob in bytes, or undefined. */
  stat(key: string): Promise<number | undefined>;
  /** Bytes `start` to `end` (exclusive) of a blob as a response's body, sent without copying where that can be. The blob must exist. */
  body(key: string, start: number, end: number): Promise<Blob | ReadableStream<Uint8Array>>;
  /** Where clients may fetch a blob themselves for some minutes; undefined where they may not. */
  link(key: string): string | undefined;
  /** Creates an upload, or opens one for more. With `create` false a missing upload is undefined. */
  upload(id: string, create: boolean): Promise<UploadWriter | undefined>;
  /** The bytes of an upload from its beginning. */
  readUpload(id: string): AsyncIterable<Uint8Array>;
  /** Makes an upload the blob of this key: durable and visible at once, or not at all. An older blob of the key is replaced. */
  commit(id: string, key: string): Promise<void>;
  /** Drops an upload; does nothing when it is gone. */
  abort(id: string): Promise<void>;
  /** Removes a blob; does nothing when it is gone. */
  remove(key: string): Promise<void>;
  /** All blobs, in any order. */
  list(): AsyncIterable<StoredObject>;
  /** All uploads; `key` is the upload's id. */
  listUploads(): AsyncIterable<StoredObject>;
  /** Throws when the storage cannot be written to. */
  probe(): Promise<void>;
}

/** `sha256:abcd…` → `sha256/ab/abcd…` */
export function blobKey(digest: string): string {
  const [algorithm = "", hex = ""] = digest.split(":");
  return `${algorithm}/${hex.slice(0, 2)}/${hex}`;
}

/** The inverse of blobKey; undefined for a key that it did not make. */
export function digestOfKey(key: string): string | undefined {
  const match = /^(sha256|sha512)\/([a-f0-9]{2})\/([a-f0-9]+)$/.exec(key);
  return match?.[3]?.startsWith(match[2] ?? "-") ? `${match[1]}:${match[3]}` : undefined;
}
