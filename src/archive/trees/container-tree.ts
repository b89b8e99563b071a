/**
 * Files in and out of a container's tree: `docker cp` and `docker export`. Each call runs in a child process that makes the
 * container's root its own before it follows a path or reads a byte of an archive, so nothing in either can lead outside.
 */
import type { ContainerPathStat } from "../../api/containers.ts";
import type { CarriedBytes, PipedBytes } from "../../base/streams.ts";
import type { PackedTimes } from "../tar/pack.ts";

export interface TreeBind {
  source: string;
  destination: string;
  readOnly: boolean;
}

/**
 * Whose tree: `pid`, a process in a running container (its volumes and tmpfs are seen as it sees them), or `rootfs`, a mounted
 * root of a stopped one, over which `binds` are mounted in a mount namespace of the child alone. `name` is for messages.
 * `binds` with a pid tell which destinations are volumes, and which of them are read-only.
 */
export type TreeRoot = { name: string; binds: TreeBind[] } & ({ pid: number } | { rootfs: string });

export interface PutOptions {
  noOverwriteDirNonDir: boolean;
  /** Owner for everything that is extracted; undefined: the archive's own. (Docker's copyUIDGID: the container's user, if it has one.) */
  chown?: { uid: number; gid: number } | undefined;
  /** The container was created with --read-only. */
  readOnlyRootfs: boolean;
  signal: AbortSignal;
}

export interface ContainerTree {
  /** What is at `path`, symbolic links in its directory followed. Rejects `not-found` with Docker's words. */
  statPath(root: TreeRoot, path: string): Promise<ContainerPathStat>;
  /** A tar archive of what is at `path`, rooted at its base name (`dir/.`: at `.`). Rejects before the first byte if it does not exist. */
  getArchive(root: TreeRoot, path: string, signal: AbortSignal): Promise<{ stat: ContainerPathStat; body: PipedBytes }>;
  /**
   * Extracts an archive (any compression) into the directory `path`. Rejects `not-found`, and `invalid-argument` for "extraction
   * point is not a directory", "container rootfs is marked read-only" and "mounted volume is marked read-only".
   */
  putArchive(root: TreeRoot, path: string, archive: CarriedBytes, options: PutOptions): Promise<void>;
  /** The whole rootfs without what is mounted in it. `rootfs` must be mounted. */
  exportTree(rootfs: string, signal: AbortSignal, times?: PackedTimes): Promise<PipedBytes>;
}
