/**
 * Mounts on which one owner appears as another: what `from` owns on the disk belongs to `to` on the mount, and the other way round; all
 * others stay who they are. mount_setattr(2), "ID-mapped mounts".
 */
import { closeSync, openSync, writeFileSync } from "node:fs";
import { attachTree, cloneTree, mapOwners } from "./mount-tree.ts";

export interface OwnerSwap {
  uid: { from: number; to: number };
  gid: { from: number; to: number };
}

/** Mounts `source` at `target` with swapped owners. Mounts below `source` are not there. Throws SyscallError. */
export async function mountWithOwners(source: string, target: string, swap: OwnerSwap): Promise<void> {
  const namespace = await userNamespace(swap);
  try {
    const tree = cloneTree(source, { recursive: false });
    try {
      mapOwners(tree, namespace);
      attachTree(tree, target);
    } finally {
      closeSync(tree);
    }
  } finally {
    closeSync(namespace);
  }
}

/** A descriptor of a user namespace with these maps, in which no process is left. */
async function userNamespace({ uid, gid }: OwnerSwap): Promise<number> {
  // It says when it is in its namespace, and waits to be ended.
  const child = Bun.spawn(["unshare", "--user", "sh", "-c", "echo; read -r end"], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "ignore",
  });
  try {
    const { value } = await child.stdout.getReader().read();
    if (value === undefined) throw new Error("cannot make a user namespace");
    writeFileSync(`/proc/${child.pid}/uid_map`, mapLines(uid.from, uid.to));
    writeFileSync(`/proc/${child.pid}/gid_map`, mapLines(gid.from, gid.to));
    return openSync(`/proc/${child.pid}/ns/user`, "r");
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
}

const lastId = 2 ** 32 - 2;

/** `first on disk, first on mount, count` of every stretch, one per line. */
export function mapLines(from: number, to: number): string {
  const [low, high] = from < to ? [from, to] : [to, from];
  const same = (first: number, last: number) => (first > last ? [] : [[first, first, last - first + 1]]);
  const lines =
    low === high
      ? same(0, lastId)
      : [...same(0, low - 1), [low, high, 1], ...same(low + 1, high - 1), [high, low, 1], ...same(high + 1, lastId)];
  return `${lines.map((line) => line.join(" ")).join("\n")}\n`;
}
