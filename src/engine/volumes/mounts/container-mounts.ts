/** The mounts of containers from create to removal: planned, made ready for the runtime at start, released at the end. */
import { mkdirSync, statSync } from "node:fs";
import { EngineError, errorCode, errorMessage, internal } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import type { HostFacts } from "../../../linux/host-facts.ts";
import { restrictionsOf } from "../../../linux/mounts/mount.ts";
import { withPathInRoot } from "../../../linux/resolve.ts";
import type { SpecMount } from "../../../oci/runtime-spec.ts";
import { atLeastKernel } from "../../../runtime/spec/security/seccomp.ts";
import { mergeTmpfsOptions } from "../../../runtime/spec/tmpfs.ts";
import type { Snapshotter } from "../../../snapshots/snapshotter.ts";
import { isPlain } from "../drivers/access.ts";
import { localDriver, type VolumeRecord } from "../volume-store.ts";
import type { ContainerUsage, Volumes } from "../volumes.ts";
import { copyUp } from "./copy-up.ts";
import { byDepth, type MountPlan, withSubpath } from "./mount-plan.ts";
import { type Owner, Pins } from "./pins.ts";
import { type PlanInput, planMounts } from "./plan-mounts.ts";
import { effectivePropagation } from "./propagation.ts";

export interface ContainerMountsDependencies {
  volumes: Volumes;
  usage: ContainerUsage;
  /** The daemon's data root. */
  dataRoot: string;
  /** Directory for the mounts that pin subpaths of volumes: `<it>/<container>/<n>`. */
  pinRoot: string;
  /** What image mounts show. */
  snapshots: Pick<Snapshotter, "mount" | "unmount" | "rootfs">;
  host: Pick<HostFacts, "kernelRelease">;
  log: Pick<Logger, "warn">;
}

export class ContainerMounts {
  private readonly deps: ContainerMountsDependencies;
  private readonly pins: Pins;
  /** Of the snapshots that image mounts show: a container, and who copies from it. */
  private readonly imageUsers = new Map<string, Set<string>>();

  constructor(deps: ContainerMountsDependencies) {
    this.deps = deps;
    this.pins = new Pins(deps.pinRoot);
  }

  /** At create. Volumes made for a plan that fails are removed again. */
  async plan(input: PlanInput): Promise<MountPlan[]> {
    const { volumes, dataRoot } = this.deps;
    const made: string[] = [];
    const maker = {
      ensure: volumes.ensure.bind(volumes),
      dataPath: (name: string) => volumes.store.dataPath(name),
      imagePath: (key: string) => this.deps.snapshots.rootfs(key),
    };
    try {
      return await planMounts(maker, dataRoot, input, made);
    } catch (error) {
      void volumes.removeUnused(made);
      throw error;
    }
  }

  /** Removes the anonymous volumes of a container that is gone or never came to be. */
  removeAnonymous(plans: readonly MountPlan[]): Promise<void> {
    return this.deps.volumes.removeUnused(plans.flatMap(({ anonymous, name }) => (anonymous && name ? [name] : [])));
  }

  /** At start, with the root mounted: mounts and fills volumes, makes missing bind sources, pins subpaths. Undone by `release`. */
  async toSpecMounts(
    plans: readonly MountPlan[],
    rootfs: string,
    containerId: string,
    user: () => Owner = () => ({ uid: 0, gid: 0 }),
  ): Promise<SpecMount[]> {
    const ordered = byDepth(plans);
    const located = await this.hold(ordered, rootfs, containerId);
    try {
      for (const [index, plan] of located.entries()) {
        if (plan.matchUser) located[index] = await this.matchUser(plan, user(), containerId, index);
      }
      return located.map((plan, index) =>
        plan.type === "tmpfs" ? tmpfsMount(plan, rootfs) : this.bindMount(plan, containerId, index),
      );
    } catch (error) {
      this.pins.release(ordered, containerId);
      await this.letGo(ordered, containerId);
      throw error;
    }
  }

  /**
   * Mounts the volumes that are not there without, and fills new ones from the mounted root; the plans returned say where they are.
   * Start does it; `docker cp` into a container that never ran must do it first, as a `user` of its own, or its file would make the
   * volume look filled. Undone by `letGo`.
   */
  async hold(
    plans: readonly MountPlan[],
    rootfs: string,
    containerId: string,
    user = containerId,
  ): Promise<MountPlan[]> {
    const located: MountPlan[] = [];
    try {
      for (const plan of plans) located.push(await this.holdOne(plan, rootfs, containerId, user));
      return located;
    } catch (error) {
      await this.letGo(located, user);
      throw error;
    }
  }

  /** Idempotent. A driver that fails has nobody to tell but the log. */
  async letGo(plans: readonly MountPlan[], user: string): Promise<void> {
    const { volumes, log } = this.deps;
    for (const plan of plans) {
      if (plan.image) await this.letGoImage(plan.image.key, user);
      const record = volumeOf(volumes, plan);
      if (record === undefined || isPlain(record)) continue;
      await volumes.access.release(record, userOf(plan, user)).catch((error: unknown) => {
        log.warn("a volume could not be unmounted", { volume: record.name, error: errorMessage(error) });
      });
    }
  }

  /** A container that outlived the daemon has its volumes still. */
  adopt(plans: readonly MountPlan[], containerId: string): void {
    for (const plan of plans) {
      if (plan.image) this.useImage(plan.image.key, containerId);
      const record = volumeOf(this.deps.volumes, plan);
      if (record !== undefined) this.deps.volumes.access.adopt(record, userOf(plan, containerId));
    }
  }

  private async holdOne(plan: MountPlan, rootfs: string, containerId: string, user: string): Promise<MountPlan> {
    const { volumes, snapshots } = this.deps;
    if (plan.image) {
      this.useImage(plan.image.key, user);
      return { ...plan, source: snapshots.mount(plan.image.key) };
    }
    const record = volumeOf(volumes, plan);
    if (record === undefined) return plan;
    // Whoever copies or replaces the volume keeps a start waiting here, whether it has something to fill or not.
    return volumes.locks.run(record.name, async () => {
      const source = await volumes.access.acquire(record, userOf(plan, user));
      // What goes into a tmpfs would be gone with its last user.
      if (plan.copyData && record.options?.["type"] !== "tmpfs") {
        await this.fill({ ...plan, source }, record, rootfs, containerId);
      }
      return { ...plan, source };
    });
  }

  /** At the end of a task. Idempotent but for the events. */
  async release(plans: readonly MountPlan[], containerId: string): Promise<void> {
    this.pins.release(byDepth(plans), containerId);
    await this.letGo(plans, containerId);
    for (const { name, driver = localDriver } of plans) {
      if (name !== undefined) this.deps.volumes.publish("unmount", name, { container: containerId, driver });
    }
  }

  private useImage(key: string, user: string): void {
    this.imageUsers.set(key, (this.imageUsers.get(key) ?? new Set()).add(user));
  }

  private async letGoImage(key: string, user: string): Promise<void> {
    const users = this.imageUsers.get(key);
    users?.delete(user);
    if (users !== undefined && users.size > 0) return;
    this.imageUsers.delete(key);
    await this.deps.snapshots.unmount(key);
  }

  private bindMount(plan: MountPlan, containerId: string, index: number): SpecMount {
    const { destination, type } = plan;
    if (type === "bind" && plan.createSource) createSource(plan.source);
    // One mount alone has nothing below that the recursive word could mean; crun would take it for a recursive bind.
    requireOutsideProc(destination, plan.source);
    const propagation = plan.nonRecursive ? effectivePropagation(plan).replace(/^r/, "") : effectivePropagation(plan);
    const source = this.sourceOf(plan, containerId, index);
    const options = [
      plan.nonRecursive ? "bind" : "rbind",
      ...(plan.rw ? [] : [this.readOnlyOption(plan, source)]),
      // A runtime that remounts the bind would lift what the host's own mount forbids: crun does.
      ...restrictionsOf(source).filter((option) => plan.rw || option !== "ro"),
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
    return subpath === undefined ? source : this.pins.subpath(source, subpath, containerId, index);
  }

  private async matchUser(plan: MountPlan, user: Owner, containerId: string, index: number): Promise<MountPlan> {
    if (plan.createSource) createSource(plan.source);
    return { ...plan, source: await this.pins.owners(plan.source, user, containerId, index), createSource: false };
  }

  private async fill(plan: MountPlan, record: VolumeRecord, rootfs: string, containerId: string): Promise<void> {
    mkdirSync(plan.source, { recursive: true });
    const { subpath } = plan;
    if (subpath !== undefined) return this.fillSubpath({ ...plan, subpath }, rootfs, containerId);
    const shared = !isPlain(record) || this.deps.usage.usingVolume(record.name).some((id) => id !== containerId);
    await copyUp({ rootfs, path: plan.destination, target: plan.source, shared });
  }

  /** A directory of the volume that is there and empty. What is missing is reported when it is mounted. */
  private async fillSubpath(plan: MountPlan & { subpath: string }, rootfs: string, containerId: string): Promise<void> {
    const { source, subpath, destination: path } = plan;
    if (!isDirectoryBeneath(source, subpath)) return;
    await this.pins.during(source, subpath, containerId, (target) => copyUp({ rootfs, path, target, shared: true }));
  }

  private publishMount(plan: MountPlan, containerId: string): void {
    this.deps.volumes.publish("mount", plan.name ?? "", {
      container: containerId,
      destination: plan.destination,
      driver: plan.driver ?? localDriver,
      propagation: plan.propagation,
      "read/write": String(plan.rw),
    });
  }
}

/** Of a volume that only a plugin knows, what the plan says is enough. */
function volumeOf(volumes: Volumes, { type, name, driver = localDriver }: MountPlan): VolumeRecord | undefined {
  if (type !== "volume" || name === undefined) return undefined;
  return volumes.store.find(name) ?? { name, driver, labels: null, createdAt: "" };
}

/** One container may have a volume at several places: each is a user. */
function userOf({ destination }: MountPlan, user: string): string {
  return `${user}:${destination}`;
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

function isDirectoryBeneath(volume: string, subpath: string): boolean {
  try {
    return withSubpath(volume, subpath, (pinned) => statSync(pinned).isDirectory());
  } catch (error) {
    if (error instanceof EngineError) return false;
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

/** Single files of /proc that may be covered, as LXCFS does; what runc allows. */
const coverable =
  /^\/proc\/(cpuinfo|diskstats|meminfo|stat|swaps|uptime|loadavg|slabinfo|net\/dev|sys\/kernel\/ns_last_pid|sys\/crypto\/fips_enabled)$/;

/** A mount inside /proc could hide or fake what a runtime and its security modules rely on: runc refuses it, and crun does not. */
function requireOutsideProc(destination: string, source: string): void {
  const path = destination.replaceAll(/\/+/g, "/");
  if (!path.startsWith("/proc/") || coverable.test(path)) return;
  throw internal(
    `failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error mounting ${JSON.stringify(source)} to rootfs at ${JSON.stringify(path)}: check proc-safety of ${path} mount: ${JSON.stringify(path)} cannot be mounted because it is inside /proc`,
  );
}
