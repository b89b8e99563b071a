/**
 * Keeps still what uses a volume while its data is copied or replaced.
 *
 * Locks are taken in one order: the lifecycles of the volume's containers by id, then the volume. A start holds its own lifecycle when it
 * asks for the volume, so neither waits for the other in a circle.
 */
import { conflict } from "../../base/errors.ts";
import type { KeyLocks } from "../../base/key-locks.ts";
import type { Container } from "./container.ts";
import type { ContainerStore } from "./container-store.ts";
import type { Freezer } from "./control.ts";

export interface VolumeHolderDependencies {
  store: ContainerStore;
  freezer: Freezer;
  /** By volume: what starts take while they mount. */
  locks: KeyLocks;
}

export class VolumeHolder {
  private readonly deps: VolumeHolderDependencies;

  constructor(deps: VolumeHolderDependencies) {
    this.deps = deps;
  }

  /** Runs `work` while the processes of every container that has the volume stand still, and none is started. */
  whileStill<T>(volume: string, work: () => Promise<T>): Promise<T> {
    return this.hold(volume, (users) => this.whileFrozen(users.filter(isMoving), work));
  }

  /** Runs `work` while no container that has the volume is started. Rejects `conflict` when one runs. */
  whileIdle<T>(volume: string, work: () => Promise<T>): Promise<T> {
    return this.hold(volume, async (users) => {
      const running = users.filter((container) => container.isRunning);
      if (running.length === 0) return work();
      const names = running.map(({ record }) => record.name).join(", ");
      throw conflict(`volume ${volume} is in use by running containers [${names}]: stop them first`);
    });
  }

  private async hold<T>(volume: string, work: (users: Container[]) => Promise<T>): Promise<T> {
    for (;;) {
      const users = this.users(volume);
      const result = await holdAll(users, () =>
        this.deps.locks.run(volume, async () => {
          // One that came meanwhile may have started before the volume was held.
          const complete = this.users(volume).every((user) => users.includes(user));
          return complete ? { value: await work(users) } : undefined;
        }),
      );
      if (result !== undefined) return result.value;
    }
  }

  private users(volume: string): Container[] {
    const uses = ({ record }: Container) => record.mounts.some(({ name }) => name === volume);
    return this.deps.store
      .list()
      .filter(uses)
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  private async whileFrozen<T>(containers: Container[], work: () => Promise<T>): Promise<T> {
    const frozen: Container[] = [];
    try {
      for (const container of containers) {
        frozen.push(container);
        await this.deps.freezer.freeze(container);
      }
      return await work();
    } finally {
      // One that was killed meanwhile has no cgroup any more.
      await Promise.all(frozen.map((container) => this.deps.freezer.thaw(container).catch(() => undefined)));
    }
  }
}

function isMoving(container: Container): boolean {
  return container.isRunning && !container.isPaused;
}

function holdAll<T>(containers: readonly Container[], work: () => Promise<T>): Promise<T> {
  const [first, ...rest] = containers;
  return first === undefined ? work() : first.lifecycle.run(() => holdAll(rest, work));
}
