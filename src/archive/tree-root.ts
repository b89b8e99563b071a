/** The child's side of container trees: entering a container's root, with its volumes, before anything in it is touched. */
import { closeSync, existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { errorCode, notFound } from "../base/errors.ts";
import { address, check, cString, libc } from "../linux/libc.ts";
import { mount, mountFlags, readMountInfo } from "../linux/mount.ts";
import { enterRoot } from "./confine.ts";
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

const call = { openTree: 428, moveMount: 429 } as const;
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
      descriptor: cloneTree(source),
    }));
  enterRoot(rootfs);
  for (const { destination, directory, descriptor } of clones) {
    makeMountPoint(destination, directory);
    attachTree(descriptor, destination);
    closeSync(descriptor);
  }
}

/** open_tree(2): a detached recursive copy of the mounts at `path`. */
function cloneTree(path: string): number {
  const name = cString(path);
  const flags = 1 | 0x8000 | 0o2000000;
  return check(
    libc.syscall(BigInt(call.openTree), -100n, addressOf(name), BigInt(flags), 0n, 0n, 0n),
    "open_tree",
    path,
  );
}

/** move_mount(2) of what the descriptor stands for, following symbolic links in `path`. */
function attachTree(descriptor: number, path: string): void {
  const [empty, name] = [cString(""), cString(path)];
  check(
    libc.syscall(BigInt(call.moveMount), BigInt(descriptor), addressOf(empty), -100n, addressOf(name), 0x14n, 0n),
    "move_mount",
    path,
  );
}

function addressOf(buffer: Buffer): bigint {
  return BigInt(address(buffer) as unknown as number);
}

function makeMountPoint(path: string, directory: boolean): void {
  if (existsSync(path)) return;
  mkdirSync(directory ? path : dirname(path), { recursive: true, mode: 0o755 });
  if (!directory) writeFileSync(path, "", { mode: 0o755 });
}
