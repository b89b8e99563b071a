/** `docker cp` and `docker export`: which tree a container shows, running or not. */
import { existsSync } from "node:fs";
import type { ContainerPathStat } from "../../api/containers.ts";
import type { ContainerTree, TreeBind, TreeRoot } from "../../archive/trees/container-tree.ts";
import { conflict } from "../../base/errors.ts";
import type { Bytes, CarriedBytes, PipedBytes } from "../../base/streams.ts";
import { resolveUser } from "../../runtime/spec/security/user.ts";
import type { Snapshotter } from "../../snapshots/snapshotter.ts";
import type { ContainerMounts } from "../volumes/mounts/container-mounts.ts";
import type { MountPlan } from "../volumes/mounts/mount-plan.ts";
import type { Container } from "./container.ts";
import type { ContainerEvents } from "./container-events.ts";
import type { ContainerPaths } from "./paths.ts";
import { makeWorkingDirectory } from "./working-directory.ts";

export interface PutOptions {
  noOverwriteDirNonDir: boolean;
  copyUidGid: boolean;
  signal: AbortSignal;
}

export class CopyPoint {
  private readonly tree: ContainerTree;
  private readonly snapshotter: Snapshotter;
  private readonly events: ContainerEvents;
  private readonly mounts: Pick<ContainerMounts, "hold" | "letGo">;
  private readonly binds: (plans: MountPlan[]) => TreeBind[];
  private readonly paths: Pick<ContainerPaths, "networkFiles">;
  /** Calls that use the mounted root of a stopped container; the last one unmounts it. */
  private readonly users = new Map<string, { count: number; plans: MountPlan[] }>();

  constructor(deps: {
    tree: ContainerTree;
    snapshotter: Snapshotter;
    events: ContainerEvents;
    mounts: Pick<ContainerMounts, "hold" | "letGo">;
    binds(plans: MountPlan[]): TreeBind[];
    paths: Pick<ContainerPaths, "networkFiles">;
  }) {
    this.tree = deps.tree;
    this.snapshotter = deps.snapshotter;
    this.events = deps.events;
    this.mounts = deps.mounts;
    this.binds = deps.binds;
    this.paths = deps.paths;
  }

  /** `name` is what the client calls the container: errors say it, here and below. */
  stat(container: Container, name: string, path: string): Promise<ContainerPathStat> {
    return this.use(container, name, (root) => this.tree.statPath(root, path));
  }

  async get(
    container: Container,
    name: string,
    path: string,
    signal: AbortSignal,
  ): Promise<{ stat: ContainerPathStat; body: Bytes }> {
    const release = await this.hold(container);
    try {
      const { stat, body } = await this.tree.getArchive(this.rootOf(container, name), path, signal);
      this.events.publish(container, "archive-path");
      return { stat, body: untilDone(body, release) };
    } catch (error) {
      await release();
      throw error;
    }
  }

  put(container: Container, name: string, path: string, archive: CarriedBytes, options: PutOptions): Promise<void> {
    const { config, hostConfig } = container.record;
    return this.use(container, name, async (root) => {
      const owner = options.copyUidGid && config.User ? resolveUser(rootPath(root), config.User) : undefined;
      await this.tree.putArchive(root, path, archive, {
        noOverwriteDirNonDir: options.noOverwriteDirNonDir,
        readOnlyRootfs: hostConfig.ReadonlyRootfs === true,
        signal: options.signal,
        ...(owner ? { chown: { uid: owner.uid, gid: owner.gid } } : {}),
      });
      this.events.publish(container, "extract-to-dir");
    });
  }

  async export(container: Container, signal: AbortSignal): Promise<Bytes> {
    const release = await this.hold(container);
    try {
      const body = await this.tree.exportTree(this.snapshotter.rootfs(container.id), signal);
      this.events.publish(container, "export");
      return untilDone(body, release);
    } catch (error) {
      await release();
      throw error;
    }
  }

  private async use<T>(container: Container, name: string, work: (root: TreeRoot) => Promise<T>): Promise<T> {
    const release = await this.hold(container);
    try {
      return await work(this.rootOf(container, name));
    } finally {
      await release();
    }
  }

  private rootOf(container: Container, name: string): TreeRoot {
    const { record } = container;
    const mounted = this.binds(this.users.get(record.id)?.plans ?? record.mounts);
    const files = this.paths
      .networkFiles(record.id)
      .filter(
        ({ destination, source }) => existsSync(source) && mounted.every((bind) => bind.destination !== destination),
      )
      .map((file) => ({ ...file, readOnly: false }));
    const common = { name, binds: [...mounted, ...files] };
    if (container.isRunning) return { ...common, pid: record.state.pid };
    return { ...common, rootfs: this.snapshotter.rootfs(record.id) };
  }

  /** Keeps the container's root mounted until the returned function is called. */
  private async hold(container: Container): Promise<() => Promise<void>> {
    const { id } = container;
    if (container.record.removing) throw conflict(`container ${id} is being removed`);
    if (container.isRunning) return async () => undefined;
    await container.lifecycle.run(async () => {
      const rootfs = this.snapshotter.mount(id);
      makeWorkingDirectory(rootfs, container.record.config);
      const held = this.users.get(id);
      if (held) held.count++;
      else {
        const plans = await this.mounts.hold(container.record.mounts, rootfs, id, userOf(id));
        this.users.set(id, { count: 1, plans });
      }
    });
    return () => container.lifecycle.run(() => this.letGo(container));
  }

  private async letGo(container: Container): Promise<void> {
    const { id } = container;
    const held = this.users.get(id);
    if (held && --held.count > 0) return;
    this.users.delete(id);
    await this.mounts.letGo(held?.plans ?? [], userOf(id));
    // A start may have come in between: then the mount is the task's.
    if (!container.isRunning && !container.isRemoved) await this.snapshotter.unmount(id);
  }
}

/** Volumes are held apart from the container's own use of them: it may start meanwhile. */
function userOf(id: string): string {
  return `copy:${id}`;
}

function rootPath(root: TreeRoot): string {
  return "pid" in root ? `/proc/${root.pid}/root` : root.rootfs;
}

function untilDone(body: PipedBytes, release: () => Promise<void>): PipedBytes {
  async function* read() {
    try {
      yield* body;
    } finally {
      await release();
    }
  }
  const through: PipedBytes["through"] = (write, carry) => body.through(write, carry).finally(release);
  return Object.assign(read(), { through });
}
