/**
 * The contract of the snapshotter: the writable roots of containers.
 *
 * A *snapshot* is a stack of layers (base first) with one writable *upper* directory on top; its *key* is the container's id.
 * It lives from `prepare` to `remove` and survives the daemon. While it is *mounted*, its *rootfs* is a directory in which the
 * layers and the upper directory appear as one tree.
 *
 *   prepare ──→ mount ⇄ unmount ──→ remove
 *                 │        │
 *                 └────────┴── changes · usage · commit    (at any time between prepare and remove, also while running)
 *
 * Below the base layer of every snapshot lies one more layer with the mount points that a container needs (/proc, /sys,
 * /dev/pts, /dev/shm, /dev/console, /etc/hosts, /etc/hostname, /etc/resolv.conf, /etc/mtab, /.dockerenv): an image's own files
 * hide them, and they are no change of the container. A *plain* snapshot, in which no container runs, is without it.
 *
 * Methods without a promise take under a millisecond and may run on the event loop. One caller works on one key at a time.
 */
import type { FilesystemChange } from "../api/containers.ts";
import type { UpperLayerJob } from "./child.ts";
import type { Layer } from "./layer-store.ts";
import type { MountPoint } from "./tidy-upper.ts";

export interface LayerJobOptions {
  signal?: AbortSignal | undefined;
  /** Runs the job in a process that the caller has at hand. */
  run?: (job: UpperLayerJob, options: { signal: AbortSignal | undefined }) => Promise<unknown>;
}

export interface CommitOptions extends LayerJobOptions {
  /**
   * The upper directory becomes the layer, without being copied: the snapshot is of no use any more but to be removed, also when this
   * fails. Nobody may be writing to it.
   */
  consume?: boolean;
  mountPoints?: readonly MountPoint[];
}

export interface Snapshotter {
  /** Makes the snapshot's directories; mounts nothing. Throws `conflict` when the key exists, `not-found` for a missing layer. */
  prepare(key: string, layers: readonly string[], options?: { plain?: boolean }): void;
  exists(key: string): boolean;
  /** Mounts the snapshot and returns its rootfs. Idempotent. Throws `not-found`. */
  mount(key: string): string;
  /** Where `mount` puts the tree, mounted or not. */
  rootfs(key: string): string;
  isMounted(key: string): boolean;
  /**
   * Takes the tree away at once (also when it is in use, as umount -l); resolves when the kernel has let go of it, before which
   * it must not be mounted again. Idempotent, also for a key that does not exist.
   */
  unmount(key: string): Promise<void>;
  /** Unmounts and forgets the snapshot; its files are deleted in the background. Resolves quickly. Idempotent. */
  remove(key: string): Promise<void>;
  /** What differs from the layers, sorted by path, as `docker diff` shows it. Throws `not-found`. */
  changes(key: string): Promise<FilesystemChange[]>;
  /** Bytes of file content in the upper directory, hard links once. Throws `not-found`. */
  usage(key: string): Promise<number>;
  /** Makes a layer of the upper directory; unless it is consumed, the snapshot stays as it is. Throws `not-found`. */
  commit(key: string, options?: CommitOptions): Promise<Layer>;
  /** Makes a layer of what a whole tree has other than these layers (base first) and has not of them, by sizes and times, as `docker diff` does. */
  difference(tree: string, layers: readonly string[], options?: LayerJobOptions): Promise<Layer>;
  /**
   * Makes another layer of the topmost one, with no time later than `notAfter` (seconds since 1970). `layers`: those that it lies on,
   * base first, and itself. Throws `not-found`.
   */
  retime(layers: readonly string[], notAfter: number, options?: LayerJobOptions): Promise<Layer>;
  /**
   * After a restart: removes every snapshot whose key is not in `known`, unmounts nothing of the others, and goes on with the
   * deletions that were under way.
   */
  reconcile(known: ReadonlySet<string>): Promise<void>;
  /** Waits for releases and deletions in the background. Mounted snapshots stay mounted. */
  close(): Promise<void>;
}
