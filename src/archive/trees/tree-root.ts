/** The child's side of container trees: entering a container's root, with its volumes, before anything in it is touched. */
import { closeSync, existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { errorCode, notFound } from "../../base/errors.ts";
import { check, libc } from "../../linux/libc.ts";
import { mount, mountFlags, readMountInfo } from "../../linux/mounts/mount.ts";
import { attachTree, cloneTree } from "../../linux/mounts/mount-tree.ts";
import { enterRoot } from "../processes/confine.ts";
import type { TreeRoot } from "./container-tree.ts";

/** Kinds of file system that hold no files of a container's. */
const pseudo = new Set(
  "proc sysfs cgroup cgroup2 devpts mqueue devtmpfs securityfs debugfs tracefs bpf binfmt_misc configfs fusectl pstore hugetlbfs nsfs".split(
    " ",
  ),
);

/** Enters the tree. Returns the mount points whose content is not to be copied when a directory above them is. */
export function enterTree(root: TreeRoot): ReadonlySet<string> {
  if ("rootfs" in root) {
    enterStopped(root.rootfs, root.binds);
    return new Set();
  }
  const mounts = readMountInfo(`/proc/${root.pid}/mountinfo`);
  try {
    enterRoot(`/proc/${root.pid}/root`);
  } catch (error) {
    if (errorCode(error) === "ENOENT") throw notFound(`container ${root.name} is not running`, { cause: error });
    throw error;
  }
  return new Set(
    mounts
      .filter(({ type, mountPoint }) => pseudo.has(type) || mountPoint === "/dev")
      .map(({ mountPoint }) => mountPoint),
  );
}

const newNamespace = 0x20000;

/** The sources are taken hold of outside, the destinations are looked up inside: a symbolic link there leads nowhere else. */
function enterStopped(rootfs: string, binds: TreeRoot["binds"]): void {
  if (binds.length === 0) {
    enterRoot(rootfs);
    return;
  }
  check(libc.unshare(newNamespace), "unshare");
  mount({ target: "/", flags: mountFlags.rec | mountFlags.private });
  const clones = [...binds]
    .sort((a, b) => a.destination.length - b.destination.length)
    .map(({ source, destination }) => ({
      destination,
      directory: statSync(source).isDirectory(),
      descriptor: cloneTree(source, { recursive: true }),
    }));
  enterRoot(rootfs);
  for (const { destination, directory, descriptor } of clones) {
    makeMountPoint(destination, directory);
    attachTree(descriptor, destination);
    closeSync(descriptor);
  }
}

function makeMountPoint(path: string, directory: boolean): void {
  if (existsSync(path)) return;
  mkdirSync(directory ? path : dirname(path), { recursive: true, mode: 0o755 });
  if (!directory) writeFileSync(path, "", { mode: 0o755 });
}
