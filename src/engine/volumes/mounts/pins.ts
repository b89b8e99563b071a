/** Mounts of the engine's own that hold fast what a container is to get, until the runtime has it: `<root>/<container>/<n>`. */
import { closeSync, mkdirSync, rmdirSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { goReason } from "../../../archive/processes/child-protocol.ts";
import { errorCode, errorMessage, internal } from "../../../base/errors.ts";
import { mountWithOwners } from "../../../linux/mounts/idmap.ts";
import { mount, mountFlags, unmountIfMounted } from "../../../linux/mounts/mount.ts";
import { openFlags, openInRoot } from "../../../linux/resolve.ts";
import type { MountPlan } from "./mount-plan.ts";

export interface Owner {
  uid: number;
  gid: number;
}

export class Pins {
  private readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** A mount of the very inode: another container that has the volume cannot put a link in its place before the runtime mounts it. */
  subpath(volume: string, subpath: string, containerId: string, index: number): string {
    const target = this.path(containerId, index);
    let fd: number;
    try {
      fd = openInRoot(volume, subpath, openFlags.path);
    } catch (error) {
      const path = join(volume, subpath);
      const reason = goReason(errorCode(error) ?? "EIO");
      throw internal(`cannot access path ${path}: lstat ${path}: ${reason}`, { cause: error });
    }
    try {
      const pinned = `/proc/self/fd/${fd}`;
      makeMountPoint(target, statSync(pinned).isDirectory());
      mount({ source: pinned, target, flags: mountFlags.bind | mountFlags.rec });
      mount({ target, flags: mountFlags.private | mountFlags.rec });
      return target;
    } finally {
      closeSync(fd);
    }
  }

  /** The source's owner on the host and the container's user change places. */
  async owners(source: string, user: Owner, containerId: string, index: number): Promise<string> {
    const target = this.path(containerId, index);
    const stat = statSync(source);
    makeMountPoint(target, stat.isDirectory());
    const swap = { uid: { from: stat.uid, to: user.uid }, gid: { from: stat.gid, to: user.gid } };
    try {
      await mountWithOwners(source, target, swap);
      mount({ target, flags: mountFlags.private });
    } catch (error) {
      const reason = ["EINVAL", "ENOSYS", "EPERM"].includes(errorCode(error) ?? "")
        ? "the kernel (5.12 or later) or the file system cannot map owners"
        : errorMessage(error);
      throw internal(`cannot mount ${source} with idmap: ${reason}`, { cause: error });
    }
    return target;
  }

  /** Idempotent. */
  release(ordered: readonly MountPlan[], containerId: string): void {
    const isPinned = (plan: MountPlan) => plan.subpath !== undefined || plan.matchUser;
    if (!ordered.some(isPinned)) return;
    ordered.forEach((plan, index) => {
      if (!isPinned(plan)) return;
      const path = this.path(containerId, index);
      while (unmountIfMounted(path, { detach: true })) {
        // A start that was cut short may have left one below.
      }
      removeMountPoint(path);
    });
    removeMountPoint(join(this.root, containerId));
  }

  private path(containerId: string, index: number): string {
    return join(this.root, containerId, String(index));
  }
}

function makeMountPoint(path: string, directory: boolean): void {
  mkdirSync(join(path, ".."), { recursive: true, mode: 0o700 });
  if (directory) mkdirSync(path, { recursive: true });
  else writeFileSync(path, "");
}

function removeMountPoint(path: string): void {
  try {
    if (statSync(path).isDirectory()) rmdirSync(path);
    else unlinkSync(path);
  } catch (error) {
    if (errorCode(error) !== "ENOENT" && errorCode(error) !== "ENOTEMPTY") throw error;
  }
}
