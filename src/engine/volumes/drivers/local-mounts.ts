/**
 * Volumes of the driver `local` that their options make a mount: made for the first user, gone with the last. Users are counted in
 * memory; after a restart of the daemon, those of containers that still run are told by `adopt`, and `reconcile` unmounts the rest.
 */
import { runChild } from "../../../archive/processes/run-child.ts";
import { EngineError, errorMessage, internal, withPrefix } from "../../../base/errors.ts";
import { KeyLocks } from "../../../base/key-locks.ts";
import { readMountInfo, unmountIfMounted } from "../../../linux/mounts/mount.ts";
import { hidePassword, type LocalOptions, toMount } from "./local-options.ts";

export class LocalMounts {
  private readonly users = new Map<string, Set<string>>();
  private readonly locks = new KeyLocks();

  /** Idempotent for one user. Rejects in Docker's words; nothing is mounted then. */
  acquire(path: string, options: LocalOptions, user: string): Promise<void> {
    return this.locks.run(path, async () => {
      const users = this.users.get(path) ?? new Set();
      if (users.size === 0) await mountAt(path, options);
      this.users.set(path, users.add(user));
    });
  }

  /** Idempotent. */
  release(path: string, user: string): Promise<void> {
    return this.locks.run(path, async () => {
      const users = this.users.get(path);
      users?.delete(user);
      if (users !== undefined && users.size > 0) return;
      this.users.delete(path);
      unmountIfMounted(path, { detach: true });
    });
  }

  /** A user of before the daemon was restarted. */
  adopt(path: string, user: string): void {
    this.users.set(path, (this.users.get(path) ?? new Set()).add(user));
  }

  /** Unmounts what is mounted below `root` and nobody uses. */
  reconcile(root: string): void {
    const mounted = readMountInfo().map(({ mountPoint }) => mountPoint);
    for (const path of mounted.reverse()) {
      if (path.startsWith(`${root}/`) && !this.users.has(path)) unmountIfMounted(path, { detach: true });
    }
  }
}

async function mountAt(path: string, options: LocalOptions): Promise<void> {
  const { device, type, options: text } = await toMount(options);
  try {
    await runChild("__volume", { verb: "mount", source: device, target: path, type, options: text });
  } catch (error) {
    const message = `failed to mount local volume: ${hidePassword(errorMessage(error), text)}`;
    throw internal(message, { cause: error });
  }
}

/** What Docker says in front when a volume cannot be mounted. */
export function mountFailure(path: string, error: unknown): unknown {
  return error instanceof EngineError ? withPrefix(`error while mounting volume '${path}': `, error) : error;
}
