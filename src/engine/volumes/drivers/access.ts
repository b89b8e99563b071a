/** Getting at a volume's data, whichever driver keeps it: mounted for each user that needs it so. */
import { createHash } from "node:crypto";
import { localDriver, type VolumeRecord, type VolumeStore } from "../volume-store.ts";
import { LocalMounts, mountFailure } from "./local-mounts.ts";
import { needsMount } from "./local-options.ts";
import type { PluginDrivers } from "./plugin-driver.ts";

export class VolumeAccess {
  private readonly store: VolumeStore;
  private readonly drivers: Pick<PluginDrivers, "get">;
  private readonly mounts = new LocalMounts();

  constructor(store: VolumeStore, drivers: Pick<PluginDrivers, "get">) {
    this.store = store;
    this.drivers = drivers;
  }

  /** Resolves with the directory of the data, which is there until this user has released it. */
  async acquire(record: VolumeRecord, user: string): Promise<string> {
    const { name, driver, options } = record;
    if (driver !== localDriver) return this.mountForeign(record, user);
    const path = this.store.dataPath(name);
    if (options && needsMount(options)) {
      await this.mounts.acquire(path, options, user).catch((error: unknown) => {
        throw mountFailure(path, error);
      });
    }
    return path;
  }

  /** Idempotent for volumes of this host; plugins are told each time. */
  async release({ name, driver, options }: VolumeRecord, user: string): Promise<void> {
    if (driver !== localDriver) await (await this.drivers.get(driver)).unmount(name, mountId(user));
    else if (needsMount(options)) await this.mounts.release(this.store.dataPath(name), user);
  }

  /** A user of before the daemon was restarted. Plugins count by themselves. */
  adopt({ name, driver, options }: VolumeRecord, user: string): void {
    if (driver === localDriver && needsMount(options)) this.mounts.adopt(this.store.dataPath(name), user);
  }

  /** Unmounts what no adopted user has. */
  reconcile(): void {
    this.mounts.reconcile(this.store.root);
  }

  private async mountForeign({ name, driver }: VolumeRecord, user: string): Promise<string> {
    try {
      return await (await this.drivers.get(driver)).mount(name, mountId(user));
    } catch (error) {
      throw mountFailure("", error);
    }
  }
}

/** Whether the data lies in the engine's own directory, and nowhere else. */
export function isPlain({ driver, options }: VolumeRecord): boolean {
  return driver === localDriver && !needsMount(options);
}

/** What a plugin knows a user by: the same after a restart. */
function mountId(user: string): string {
  return createHash("sha256").update(user).digest("hex");
}
