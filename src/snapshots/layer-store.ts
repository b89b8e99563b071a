/**
 * The contract of the layer store: the read-only parts that images consist of.
 *
 * A *layer* is one change set of an image, kept unpacked as a directory, ready to be a lower directory of an overlay. Its name is
 * its *diffID*: the SHA-256 of its uncompressed tar archive. It does not know its parents: any number of layers is unpacked at
 * the same time, and images share them. A *blob* is a layer as it travels, usually compressed: its digest is another one.
 *
 * A layer becomes visible (`has`, `get`, `list`) at one instant, complete and verified, and never changes after. Whoever stops
 * halfway (an error, an abort, a killed daemon) leaves nothing that is visible; `reconcile` removes the rest at the next start.
 *
 * The archive itself is not kept. What cannot be told from the unpacked files (headers, order, padding) is recorded beside them,
 * so that `openTar` gives back the very bytes whose digest is the diffID.
 */
import type { Bytes } from "../base/streams.ts";

export interface Layer {
  /** `sha256:` and 64 hexadecimal digits. */
  diffId: string;
  /** Bytes of file content: regular files, each hard link once, and the targets of symbolic links, as Docker counts. */
  size: number;
}

/** A tar archive, plain or compressed by gzip, zstd, xz or bzip2 (told by its first bytes); a file may hold it in a range. */
export type ArchiveSource = Bytes | { path: string; offset?: number; size?: number };

export interface UnpackOptions {
  /** The diffID it must have; another one rejects `invalid-argument`, and nothing is kept. */
  expected?: string | undefined;
  signal?: AbortSignal | undefined;
}

export interface LayerStore {
  /**
   * Stores the archive as a layer; idempotent: an existing layer of the same diffID is kept and returned. With `expected` of an
   * existing layer the source is not read at all. Rejects `invalid-argument` for what is not a sound
   * archive, `canceled` after an abort.
   */
  unpack(source: ArchiveSource, options?: UnpackOptions): Promise<Layer>;
  has(diffId: string): boolean;
  /** Throws `not-found`. */
  get(diffId: string): Layer;
  list(): Layer[];
  /** The unpacked tree of a layer, to be read only. Does not check that it exists. */
  path(diffId: string): string;
  /**
   * Takes the layer away: invisible at once, deleted in the background. Idempotent. The caller knows that no image or container
   * refers to it.
   */
  remove(diffId: string): Promise<void>;
  /** The exact bytes of the layer's tar archive, uncompressed. Throws `not-found` at once. */
  openTar(diffId: string, signal?: AbortSignal): Bytes;
  /** Writes the exact tar archive to an open file descriptor (file, pipe or socket) without passing through this process. */
  tarTo(diffId: string, descriptor: number, signal?: AbortSignal): Promise<void>;
  /** Length of what `openTar` gives, in bytes. Throws `not-found`. */
  tarSize(diffId: string): number;
  /** Finishes or undoes what an earlier daemon left half done. Call once, before any other method. */
  reconcile(): Promise<void>;
  /** Waits for deletions in the background. */
  close(): Promise<void>;
}
