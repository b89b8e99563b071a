/**
 * Start-up: makes records and reality agree again, whatever killed the previous daemon. Tasks that live on are adopted, ends that
 * nobody saw are recorded, half-done starts and removals are finished or undone.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { nowNanos, zeroTime } from "../../base/clock.ts";
import { isNotFound } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { unmountIfMounted } from "../../linux/mounts/mount.ts";
import { Shim } from "../../runtime/shim.ts";
import type { Container } from "./container.ts";
import type { ContainerStore } from "./container-store.ts";
import type { Launcher } from "./lifecycle/launch.ts";
import type { Lifecycle } from "./lifecycle/lifecycle.ts";
import { startsWithDaemon } from "./lifecycle/restart-policy.ts";
import type { ContainerPaths } from "./paths.ts";
import type { Remover } from "./remove.ts";

export interface RestoreDependencies {
  store: ContainerStore;
  lifecycle: Lifecycle;
  launcher: Launcher;
  remover: Remover;
  paths: ContainerPaths;
  /** Lets its processes go on, if they stand still. */
  thaw(container: Container): Promise<void>;
  /** False: what outlived the former daemon is ended. */
  liveRestore: boolean;
  end(container: Container): Promise<void>;
  log: Logger;
}

/** What Docker shows for a process that was lost with the machine. */
const lostExitCode = 255;

/** Resolves when every container's state is true again. Returns the ids of those that run. */
export async function restoreContainers(deps: RestoreDependencies): Promise<Set<string>> {
  removeStrayTasks(deps);
  deps.lifecycle.holdRestarts(!deps.liveRestore);
  await Promise.all(
    deps.store.list().map((container) =>
      restore(container, deps).catch((error: unknown) => {
        deps.log.error("could not restore a container", { container: container.id, error });
      }),
    ),
  );
  deps.lifecycle.holdRestarts(false);
  return new Set(deps.store.list().flatMap((container) => (container.isRunning ? [container.id] : [])));
}

/** Starts what the restart policies ask for. Call when the network is ready. */
export async function startByPolicy({
  store,
  lifecycle,
  log,
}: Pick<RestoreDependencies, "store" | "lifecycle" | "log">): Promise<void> {
  await Promise.all(
    store.list().map(async (container) => {
      const { record } = container;
      if (container.isRunning || container.isRestarting) return;
      const everStarted = record.state.startedAt !== zeroTime;
      const ended = { exitCode: record.state.exitCode, manuallyStopped: record.manuallyStopped, everStarted };
      if (!startsWithDaemon(record.hostConfig.RestartPolicy, ended)) return;
      await lifecycle.startWithDaemon(container).catch((error: unknown) => {
        log.error("a restart policy could not start its container", { container: container.id, error });
      });
    }),
  );
}

async function restore(container: Container, deps: RestoreDependencies): Promise<void> {
  const { lifecycle, launcher, remover, paths } = deps;
  const { record } = container;
  const shim = await findShim(paths.task(record.id));
  const pid = await shim?.started.catch(() => undefined);
  if (shim && pid !== undefined) {
    await lifecycle.adopt(container, shim, pid);
    // The daemon was killed while it copied what the container writes to.
    if (!container.isPaused) await deps.thaw(container);
    if (!deps.liveRestore) await deps.end(container);
    return;
  }
  if (record.removing) {
    await launcher.teardown(container);
    await container.lifecycle.run(() => remover.removeLocked(container, false));
    return;
  }
  if (record.state.pid !== 0) {
    await lifecycle.recordLoss(container, {
      exitCode: lostExitCode,
      signal: 0,
      oomKilled: false,
      finishedAt: nowNanos(),
    });
    return;
  }
  if (existsSync(paths.task(record.id))) {
    await launcher.releaseNetwork(container);
    await launcher.teardown(container);
  }
  if (container.isRestarting) lifecycle.cancelRestart(container);
  if (record.hostConfig.AutoRemove && record.state.startedAt !== zeroTime) {
    await container.lifecycle.run(() => remover.removeEnded(container));
  }
}

async function findShim(directory: string): Promise<Shim | undefined> {
  try {
    return await Shim.reconnect(directory);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Task directories of containers that the database does not know: of a create that was never committed. */
function removeStrayTasks({ store, paths }: RestoreDependencies): void {
  const tasks = join(paths.execRoot, "tasks");
  if (!existsSync(tasks)) return;
  const known = new Set(store.list().map(({ id }) => paths.task(id)));
  for (const name of readdirSync(tasks)) {
    const directory = join(tasks, name);
    if (known.has(directory)) continue;
    unmountIfMounted(join(directory, "shm"), { detach: true });
    rmSync(directory, { recursive: true, force: true });
  }
}
