/**
 * The cgroup hierarchies of this host (v1, hybrid or v2) and what is done to one container's cgroup without an OCI runtime: freeze,
 * list, kill, remove. A container's cgroup is named by its path relative to each hierarchy's root: `/<parent>/<id>`.
 */
import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { errorCode, internal } from "../../base/errors.ts";
import { type MountInfo, readMountInfo } from "../mounts/mount.ts";

/** Hybrid: v1 controllers beside a v2 hierarchy. */
export type CgroupMode = "v1" | "hybrid" | "v2";

export interface CgroupLayout {
  cgroupMode: CgroupMode;
  /** Controller (`memory`, `cpu`, …, `name=systemd`) → directory of its hierarchy's root. On v2 all are the one root. */
  cgroupControllers: Record<string, string>;
  /** Root of the v2 hierarchy, where there is one. */
  cgroupUnified?: string;
}

/** Reads the layout from the mount table. */
export function readCgroupLayout(mounts: MountInfo[] = readMountInfo()): CgroupLayout {
  const controllers: Record<string, string> = {};
  for (const { mountPoint, superOptions } of mounts.filter((mount) => mount.type === "cgroup")) {
    for (const option of superOptions) if (isController(option)) controllers[option] ??= mountPoint;
  }
  const unified = mounts.find((mount) => mount.type === "cgroup2")?.mountPoint;
  if (unified === undefined) return { cgroupMode: "v1", cgroupControllers: controllers };
  if (Object.keys(controllers).some((name) => !name.startsWith("name="))) {
    return { cgroupMode: "hybrid", cgroupControllers: controllers, cgroupUnified: unified };
  }
  const listed = readIfThere(join(unified, "cgroup.controllers")) ?? "";
  const own = listed.split(/\s+/).filter(Boolean);
  return {
    cgroupMode: "v2",
    cgroupControllers: Object.fromEntries(own.map((name) => [name, unified])),
    cgroupUnified: unified,
  };
}

const v1Controllers = new Set(
  "cpu cpuacct cpuset memory devices freezer net_cls blkio perf_event net_prio hugetlb pids rdma misc".split(" "),
);

function isController(option: string): boolean {
  return v1Controllers.has(option) || option.startsWith("name=");
}

export function cgroupMode(): CgroupMode {
  return readCgroupLayout().cgroupMode;
}

/** Whether a controller offers a file. Looks below the root where the root itself lacks limits (v1's `memory.swappiness` has them all). */
export function controllerHas(layout: CgroupLayout, controller: string, file: string): boolean {
  const root = layout.cgroupControllers[controller];
  return root !== undefined && existsSync(join(root, file));
}

/** Directory of a cgroup in one controller's hierarchy; undefined where that controller is not there. */
export function cgroupDirectory(layout: CgroupLayout, controller: string, path: string): string | undefined {
  const root = layout.cgroupMode === "v2" ? layout.cgroupUnified : layout.cgroupControllers[controller];
  return root === undefined ? undefined : join(root, inHierarchy(path));
}

/** A user's --cgroup-parent may hold `..`: it ends at the hierarchy's root. */
function inHierarchy(path: string): string {
  return join("/", path);
}

/** Every directory that a cgroup has, one per hierarchy. */
export function cgroupDirectories(layout: CgroupLayout, path: string): string[] {
  const roots = new Set(Object.values(layout.cgroupControllers));
  if (layout.cgroupUnified !== undefined) roots.add(layout.cgroupUnified);
  return [...roots].map((root) => join(root, inHierarchy(path))).filter((directory) => existsSync(directory));
}

/** Process ids in a cgroup and all below it. Empty when it is gone. */
export function cgroupPids(layout: CgroupLayout, path: string): number[] {
  // On v1 any hierarchy would do; the freezer's cannot be changed by the container's own cgroups as easily as systemd's.
  const directory =
    cgroupDirectory(layout, "freezer", path) ??
    cgroupDirectory(layout, "pids", path) ??
    cgroupDirectories(layout, path)[0];
  return directory === undefined ? [] : [...new Set(pidsBelow(directory))].sort((a, b) => a - b);
}

function pidsBelow(directory: string): number[] {
  const own = (readIfThere(join(directory, "cgroup.procs")) ?? "").split("\n").filter(Boolean).map(Number);
  return [...own, ...childrenOf(directory).flatMap(pidsBelow)];
}

/** Stops every process of the cgroup; resolves once all stand still. Rejects when the kernel cannot within 10 seconds. */
export async function freeze(layout: CgroupLayout, path: string): Promise<void> {
  await setFrozen(layout, path, true);
}

export async function thaw(layout: CgroupLayout, path: string): Promise<void> {
  await setFrozen(layout, path, false);
}

/** Lets the processes of a cgroup go on if they stand still; does nothing where there is no freezer, or no such cgroup. */
export async function thawIfFrozen(layout: CgroupLayout, path: string): Promise<void> {
  const directory = cgroupDirectory(layout, "freezer", path);
  if (directory === undefined) return;
  const v2 = layout.cgroupMode === "v2";
  const state = readIfThere(join(directory, v2 ? "cgroup.freeze" : "freezer.state"))?.trim();
  if (state !== undefined && state !== (v2 ? "0" : "THAWED")) await thaw(layout, path);
}

async function setFrozen(layout: CgroupLayout, path: string, frozen: boolean): Promise<void> {
  const directory = cgroupDirectory(layout, "freezer", path);
  if (directory === undefined) throw internal("the freezer cgroup is not mounted");
  const v2 = layout.cgroupMode === "v2";
  const [file, value] = v2
    ? (["cgroup.freeze", frozen ? "1" : "0"] as const)
    : (["freezer.state", frozen ? "FROZEN" : "THAWED"] as const);
  const reached = () =>
    v2
      ? new RegExp(`^frozen ${value}$`, "m").test(readFileSync(join(directory, "cgroup.events"), "utf8"))
      : readFileSync(join(directory, file), "utf8").trim() === value;
  for (let attempt = 0; attempt < 1000; attempt++) {
    // v1 stays FREEZING while a task forks: writing again makes the kernel look again.
    if (attempt === 0 || !v2) writeFileSync(join(directory, file), value);
    if (reached()) return;
    await sleep(attempt < 10 ? 1 : 10);
  }
  if (!v2 && frozen) writeFileSync(join(directory, file), "THAWED");
  throw internal(`unable to ${frozen ? "freeze" : "thaw"} ${path}`);
}

/**
 * How often the kernel's OOM killer struck in this cgroup. Read before the cgroup goes; 0 when it is gone.
 * The file is that of `oomCountFile`, for those who want to watch it.
 */
export function oomKillCount(layout: CgroupLayout, path: string): number {
  const file = oomCountFile(layout, path);
  const text = file === undefined ? undefined : readIfThere(file);
  return Number(/^oom_kill (\d+)$/m.exec(text ?? "")?.[1] ?? 0);
}

/** The file whose line `oom_kill N` counts OOM kills; undefined without a memory controller. */
export function oomCountFile(layout: CgroupLayout, path: string): string | undefined {
  const directory = cgroupDirectory(layout, "memory", path);
  if (directory === undefined) return undefined;
  return join(directory, layout.cgroupMode === "v2" ? "memory.events" : "memory.oom_control");
}

/**
 * Kills what is left in a cgroup and removes its directories in every hierarchy, children first. Idempotent. Rejects when a
 * directory is still busy after two seconds (a process in uninterruptible sleep).
 */
export async function removeCgroup(layout: CgroupLayout, path: string): Promise<void> {
  if (path === "" || path === "/" || path.split("/").includes(".."))
    throw internal(`refusing to remove cgroup ${path}`);
  for (let attempt = 0; ; attempt++) {
    const busy = cgroupDirectories(layout, path).filter((directory) => !removeTree(directory));
    if (busy.length === 0) return;
    if (attempt >= 100) throw internal(`cgroup ${busy[0]} is still in use`);
    for (const pid of busy.flatMap(pidsBelow)) kill(pid);
    await sleep(attempt < 10 ? 2 : 20);
  }
}

/** Returns whether the directory is gone. */
function removeTree(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT") return true;
    if (code !== "EBUSY" && code !== "ENOTEMPTY") throw error;
  }
  const children = childrenOf(directory);
  if (children.length === 0 || !children.map(removeTree).every(Boolean)) return false;
  return removeTree(directory);
}

function kill(pid: number): void {
  try {
    // 0 would be our own process group: it means a process of another pid namespace.
    if (pid > 0) process.kill(pid, "SIGKILL");
  } catch (error) {
    if (errorCode(error) !== "ESRCH") throw error;
  }
}

function childrenOf(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(directory, entry.name));
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}

/**
 * Removes a cgroup (of a daemon, say) from every hierarchy where no process is left in it, with what a runtime has left in it: one that
 * was starting a container when the daemon was killed may have come too late for its removal. What is just going is waited for: two
 * seconds at most.
 */
export async function removeEmptyCgroup(layout: CgroupLayout, path: string): Promise<void> {
  const deadline = performance.now() + 2000;
  let left = cgroupDirectories(layout, path);
  for (;;) {
    left = left.filter((directory) => !removeTree(directory));
    if (left.length === 0 || performance.now() > deadline) return;
    await Bun.sleep(10);
  }
}

/** Content of a cgroup file, or undefined when the cgroup or file is gone (reading may also fail with ENODEV while it goes). */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (["ENOENT", "ENODEV", "EOPNOTSUPP"].includes(errorCode(error) ?? "")) return undefined;
    throw error;
  }
}
