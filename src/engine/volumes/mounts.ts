/** The mounts of containers from create to removal: planned, made ready for the runtime at start, released at the end. */
import { closeSync, mkdirSync, rmdirSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorCode, errorMessage, internal } from "../../base/errors.ts";
import type { HostFacts } from "../../linux/host-facts.ts";
import { mount, mountFlags, unmountIfMounted } from "../../linux/mount.ts";
import { openFlags, openInRoot, withPathInRoot } from "../../linux/resolve.ts";
import type { SpecMount } from "../../oci/runtime-spec.ts";
import { atLeastKernel } from "../../runtime/spec/seccomp.ts";
import { mergeTmpfsOptions } from "../../runtime/spec/tmpfs.ts";
import { copyUp } from "./copy-up.ts";
import { byDepth, type MountPlan } from "./mount-plan.ts";
import { type PlanInput, planMounts } from "./plan-mounts.ts";
import { effectivePropagation } from "./propagation.ts";
import type { ContainerUsage, Volumes } from "./volumes.ts";

export interface ContainerMountsDependencies {
  volumes: Volumes;
  usage: ContainerUsage;
  /** The daemon's data root. */
  dataRoot: string;
  /** Directory for the mounts that pin subpaths of volumes: `<it>/<container>/<n>`. */
  pinRoot: string;
  host: Pick<HostFacts, "kernelRelease">;
}

export class ContainerMounts {
  private readonly deps: ContainerMountsDependencies;

  constructor(deps: ContainerMountsDependencies) {
    this.deps = deps;
  }

  /** At create. Volumes made for a plan that fails are removed again. */
  plan(input: PlanInput): MountPlan[] {
    const { volumes, dataRoot } = this.deps;
    const made: string[] = [];
    const maker = {
      ensure: volumes.ensure.bind(volumes),
      dataPath: (name: string) => volumes.store.dataPath(name),
    };
    try {
      return planMounts(maker, dataRoot, input, made);
    } catch (error) {
      void volumes.removeUnused(made);
      throw error;
    }
  }

  /** Removes the anonymous volumes of a container that is gone or never came to be. */
  removeAnonymous(plans: readonly MountPlan[]): Promise<void> {
    return this.deps.volumes.removeUnused(plans.flatMap(({ anonymous, name }) => (anonymous && name ? [name] : [])));
  }

  /** At start, with the root mounted: fills new volumes, makes missing bind sources, pins subpaths. Undone by `release`. */
  async toSpecMounts(plans: readonly MountPlan[], rootfs: string, containerId: string): Promise<SpecMount[]> {
    const ordered = byDepth(plans);
    await this.fillVolumes(ordered, rootfs, containerId);
    try {
      return ordered.map((plan, index) =>
        plan.type === "tmpfs" ? tmpfsMount(plan, rootfs) : this.bindMount(plan, containerId, index),
      );
    } catch (error) {
      this.unpin(ordered, containerId);
      throw error;
    }
  }

  /**
   * Fills new volumes from the mounted root. Start does it; `docker cp` into a container that never ran must do it first, or its
   * file would make the volume look filled.
   */
  async fillVolumes(plans: readonly MountPlan[], rootfs: string, containerId: string): Promise<void> {
    for (const plan of plans) {
      if (plan.type !== "volume") continue;
      // Whoever copies or replaces the volume keeps a start waiting here, whether it has something to fill or not.
      await this.deps.volumes.locks.run(plan.name ?? "", async () => {
        if (plan.copyData) await this.fill(plan, rootfs, containerId);
      });
    }
  }

  /** At the end of a task. Idempotent but for the events. */
  release(plans: readonly MountPlan[], containerId: string): void {
    this.unpin(byDepth(plans), containerId);
    for (const { name, driver = "local" } of plans) {
      if (name !== undefined) this.deps.volumes.publish("unmount", name, { container: containerId, driver });
    }
  }

  private bindMount(plan: MountPlan, containerId: string, index: number): SpecMount {
    const { destination, type } = plan;
    if (type === "bind" && plan.createSource) createSource(plan.source);
    // One mount alone has nothing below that the recursive word could mean; crun would take it for a recursive bind.
    const propagation = plan.nonRecursive ? effectivePropagation(plan).replace(/^r/, "") : effectivePropagation(plan);
    const source = this.sourceOf(plan, containerId, index);
    const options = [
      plan.nonRecursive ? "bind" : "rbind",
      ...(plan.rw ? [] : [this.readOnlyOption(plan, source)]),
      ...(propagation === "" ? [] : [propagation]),
    ];
    if (plan.name !== undefined) this.publishMount(plan, containerId);
    return { destination, type: "bind", source, options };
  }

  /** Mounts below a read-only one are read-only too where the kernel can do that (5.12). Below a file there are none: crun fails there. */
  private readOnlyOption(plan: MountPlan, source: string): "ro" | "rro" {
    if (statSync(source, { throwIfNoEntry: false })?.isDirectory() === false) return "ro";
    if (plan.readOnlyNonRecursive) {
      if (!plan.readOnlyForceRecursive) return "ro";
      throw internal("mount options conflict: ReadOnlyNonRecursive && BindOptions.ReadOnlyForceRecursive");
    }
    if (atLeastKernel(this.deps.host.kernelRelease, "5.12")) return "rro";
    if (plan.readOnlyForceRecursive) throw internal("rro is not supported: requires kernel 5.12 or later");
    return "ro";
  }

  private sourceOf(plan: MountPlan, containerId: string, index: number): string {
    const { type, source, subpath } = plan;
    if (type === "volume") mkdirSync(source, { recursive: true });
    return subpath === undefined ? source : this.pin(source, subpath, this.pinPath(containerId, index));
  }

  /** A mount of the very inode: another container that has the volume cannot put a link in its place before the runtime mounts it. */
  private pin(root: string, subpath: string, target: string): string {
    let fd: number;
    try {
      fd = openInRoot(root, subpath, openFlags.path);
    } catch (error) {
      if (errorCode(error) !== "ENOENT" && errorCode(error) !== "ENOTDIR") throw error;
      const path = join(root, subpath);
      throw internal(`cannot access path ${path}: lstat ${path}: no such file or directory`, { cause: error });
    }
    try {
      const pinned = `/proc/self/fd/${fd}`;
      mkdirSync(join(target, ".."), { recursive: true, mode: 0o700 });
      if (statSync(pinned).isDirectory()) mkdirSync(target, { recursive: true });
      else writeFileSync(target, "");
      mount({ source: pinned, target, flags: mountFlags.bind | mountFlags.rec });
      mount({ target, flags: mountFlags.private | mountFlags.rec });
      return target;
    } finally {
      closeSync(fd);
    }
  }

  private unpin(ordered: readonly MountPlan[], containerId: string): void {
    if (!ordered.some((plan) => plan.subpath !== undefined)) return;
    ordered.forEach((plan, index) => {
      if (plan.subpath === undefined) return;
      const path = this.pinPath(containerId, index);
      while (unmountIfMounted(path, { detach: true })) {
        // A start that was cut short may have left one below.
      }
      removeMountPoint(path);
    });
    removeMountPoint(join(this.deps.pinRoot, containerId));
  }

  private pinPath(containerId: string, index: number): string {
    return join(this.deps.pinRoot, containerId, String(index));
  }

  private async fill(plan: MountPlan, rootfs: string, containerId: string): Promise<void> {
    const name = plan.name ?? "";
    mkdirSync(plan.source, { recursive: true });
    const shared = this.deps.usage.usingVolume(name).some((id) => id !== containerId);
    await copyUp({ rootfs, path: plan.destination, target: plan.source, shared });
  }

  private publishMount(plan: MountPlan, containerId: string): void {
    this.deps.volumes.publish("mount", plan.name ?? "", {
      container: containerId,
      destination: plan.destination,
      driver: plan.driver ?? "local",
      propagation: plan.propagation,
      "read/write": String(plan.rw),
    });
  }
}

/** Without a mode of its own, a tmpfs has that of the directory it covers: runc does so, crun does not. */
function tmpfsMount({ destination, options = [] }: MountPlan, rootfs: string): SpecMount {
  const merged = mergeTmpfsOptions(options);
  const mode = merged.some((option) => option.startsWith("mode=")) ? undefined : modeInRoot(rootfs, destination);
  const all = mode === undefined ? merged : [...merged, `mode=${mode.toString(8)}`];
  return { destination, type: "tmpfs", source: "tmpfs", options: all };
}

function modeInRoot(rootfs: string, path: string): number | undefined {
  try {
    return withPathInRoot(rootfs, path, (pinned) => statSync(pinned).mode & 0o7777);
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ELOOP"].includes(errorCode(error) ?? "")) return undefined;
    throw error;
  }
}

/** What `-v` names and is not there becomes a directory. */
function createSource(path: string): void {
  try {
    statSync(path);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") return; // The runtime says what is wrong with it.
    try {
      mkdirSync(path, { recursive: true });
    } catch (cause) {
      throw internal(`error while creating mount source path '${path}': ${errorMessage(cause)}`, { cause });
    }
  }
}

function removeMountPoint(path: string): void {
  try {
    if (statSync(path).isDirectory()) rmdirSync(path);
    else unlinkSync(path);
  } catch (error) {
    if (errorCode(error) !== "ENOENT" && errorCode(error) !== "ENOTEMPTY") throw error;
  }
}
