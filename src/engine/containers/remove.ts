/**
 * Deleting containers. The intent (`removing`) is recorded first, so that start-up finishes what a crash cut short; every step
 * may be repeated.
 */
import { rm } from "node:fs/promises";
import { conflict, errorMessage, internal } from "../../base/errors.ts";
import type { Snapshotter } from "../../snapshots/snapshotter.ts";
import type { MountPlan } from "../volumes/mounts/mount-plan.ts";
import type { Container } from "./container.ts";
import type { ContainerEvents } from "./container-events.ts";
import type { ContainerStore } from "./container-store.ts";
import type { ContainerControl } from "./control.ts";
import type { ContainerPaths } from "./paths.ts";

export interface RemoveOptions {
  force: boolean;
  /** Also its anonymous volumes. */
  volumes: boolean;
  /** The container as the client calls it. */
  reference: string;
}

export interface RemoverDependencies {
  store: ContainerStore;
  control(): ContainerControl;
  snapshotter: Snapshotter;
  paths: ContainerPaths;
  events: ContainerEvents;
  removeAnonymousVolumes(plans: MountPlan[]): Promise<void>;
  forgetExecs(container: Container): void;
  /** Layers that nothing else stands on go too. */
  releaseLayers(container: Container): Promise<void>;
}

export class Remover {
  private readonly deps: RemoverDependencies;

  constructor(deps: RemoverDependencies) {
    this.deps = deps;
  }

  async remove(container: Container, { force, volumes, reference }: RemoveOptions): Promise<void> {
    if (container.record.removing) throw conflict(`removal of container ${container.id} is already in progress`);
    requireRemovable(container, reference, force);
    if (force) await this.deps.control().killForRemoval(container);
    await container.lifecycle.run(async () => {
      if (container.isRemoved) return;
      requireRemovable(container, reference, false);
      await this.removeLocked(container, volumes);
    });
  }

  /** For `--rm`: the container and its anonymous volumes. Call inside the lifecycle lock. */
  removeEnded(container: Container): Promise<void> {
    return this.removeLocked(container, true);
  }

  /** Call inside the lifecycle lock. */
  async removeLocked(container: Container, volumes: boolean): Promise<void> {
    const { store, snapshotter, paths, events } = this.deps;
    const { record, id } = container;
    record.removing = true;
    record.state.status = "removing";
    store.save(container);
    const exitCode = record.state.exitCode;
    try {
      const lookTime = events.lookTime(container);
      if (lookTime > 0) await Bun.sleep(lookTime);
      await snapshotter.remove(id);
      for (const { image } of record.mounts) if (image) await snapshotter.remove(image.key);
      await rm(paths.data(id), { recursive: true, force: true });
      this.deps.forgetExecs(container);
      store.delete(container);
    } catch (error) {
      record.removing = false;
      record.state.status = "dead";
      store.save(container);
      container.notifyExit({ StatusCode: exitCode });
      throw internal(`container ${id}: could not be removed: ${errorMessage(error)}`, { cause: error });
    }
    await this.deps.releaseLayers(container);
    if (volumes) await this.deps.removeAnonymousVolumes(record.mounts);
    events.publish(container, "destroy");
    for (const pending of [...container.pendingAttaches]) pending.abandon();
    container.notifyRemoval({ StatusCode: exitCode });
  }
}

function requireRemovable(container: Container, reference: string, force: boolean): void {
  if (force) return;
  const advice: Record<string, string> = {
    paused: "unpause and then stop the container before removing or force remove",
    restarting: "stop the container before removing or force remove",
    running: "stop the container before removing or force remove",
  };
  const { status } = container.record.state;
  if (!container.isRunning && !container.isRestarting) return;
  const message = `cannot remove container "${reference}": container is ${status}: ${advice[status] ?? advice["running"]}`;
  throw conflict(message);
}
