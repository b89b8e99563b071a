/** Mounts of the engine's own that hold fast what a container is to get, until the runtime has it: `<root>/<container>/<n>`. */
import { mkdirSync, rmdirSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorCode, errorMessage, internal } from "../../../base/errors.ts";
import { mountWithOwners } from "../../../linux/mounts/idmap.ts";
import { mount, mountFlags, unmountIfMounted } from "../../../linux/mounts/mount.ts";
import { type MountPlan, withSubpath } from "./mount-plan.ts";

export interface Owner {
  uid: number;
  gid: number;
}

/** Name of a pin that outlives no call. */
const temporary = "now";

export class Pins {
  private readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** A mount of the very inode: another container that has the volume cannot put a link in its place before the runtime mounts it. */
  subpath(volume: string, subpath: string, containerId: string, index: number): string {
    return this.pin(volume, subpath, this.path(containerId, index));
  }

  /** Calls `use` with such a mount, for as long as it takes. */
  async during(
    volume: string,
    subpath: string,
    containerId: string,
    use: (path: string) => Promise<void>,
  ): Promise<void> {
    const path = this.pin(volume, subpath, this.path(containerId, temporary));
    try {
      await use(path);
    } finally {
      releasePin(path);
    }
  }

  private pin(volume: string, subpath: string, target: string): string {
    return withSubpath(volume, subpath, (pinned) => {
      makeMountPoint(target, statSync(pinned).isDirectory());
      mount({ source: pinned, target, flags: mountFlags.bind | mountFlags.rec });
      mount({ target, flags: mountFlags.private | mountFlags.rec });
      return target;
    });
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
      if (isPinned(plan)) releasePin(this.path(containerId, index));
    });
    releasePin(this.path(containerId, temporary));
    removeMountPoint(join(this.root, containerId));
  }

  private path(containerId: string, index: number | typeof temporary): string {
    return join(this.root, containerId, String(index));
  }
}

function releasePin(path: string): void {
  while (unmountIfMounted(path, { detach: true })) {
    // A start that was cut short may have left one below.
  }
  removeMountPoint(path);
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
