/** `docker volume`: what the Engine API does with volumes, with dockerd's messages and events. */
import type { Dirent } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Filters } from "../../api/system.ts";
import type { PruneVolumesResponse, Volume, VolumeCreateRequest, VolumeListResponse } from "../../api/volumes.ts";
import { conflict, errorCode } from "../../base/errors.ts";
import { KeyLocks } from "../../base/key-locks.ts";
import { checkListFilters, matchesList, parsePruneFilters } from "./volume-filters.ts";
import type { Staging, VolumeRecord, VolumeRequest, VolumeStore } from "./volume-store.ts";

/** Which containers refer to a volume, running or not. */
export interface ContainerUsage {
  /** Full ids. */
  usingVolume(name: string): string[];
}

export interface VolumeEvent {
  type: "volume";
  action: "create" | "mount" | "unmount" | "destroy" | "prune" | "snapshot" | "restore";
  id: string;
  attributes: Record<string, string>;
}

export interface VolumesDependencies {
  store: VolumeStore;
  usage: ContainerUsage;
  publish(event: VolumeEvent): void;
}

export class Volumes {
  readonly store: VolumeStore;
  /** By volume: held while it is filled, mounted for a start, copied, replaced or removed. */
  readonly locks = new KeyLocks();
  private readonly deps: VolumesDependencies;

  constructor(deps: VolumesDependencies) {
    this.deps = deps;
    this.store = deps.store;
  }

  async list(filters: Filters): Promise<VolumeListResponse> {
    checkListFilters(filters);
    const inUse = (name: string) => this.deps.usage.usingVolume(name).length > 0;
    const records = this.store.list().filter((record) => matchesList(record, filters, inUse));
    return { Volumes: records.map((record) => this.toApiVolume(record)), Warnings: null };
  }

  async create(request: VolumeCreateRequest): Promise<Volume> {
    const { Name, Driver, DriverOpts, Labels } = request;
    return this.toApiVolume(
      this.ensure({
        ...(Name === undefined ? {} : { name: Name }),
        ...(Driver === undefined ? {} : { driver: Driver }),
        options: DriverOpts ?? null,
        labels: Labels ?? null,
      }),
    );
  }

  /** The named volume, made when it is not there. */
  ensure(request: VolumeRequest): VolumeRecord {
    const { record, created } = this.store.create(request);
    if (created) this.publish("create", record.name, { driver: record.driver });
    return record;
  }

  /** A new volume of data that was gathered beside the volumes. */
  adopt(request: VolumeRequest & { name: string }, staging: Staging): VolumeRecord {
    const record = this.store.adopt(request, staging);
    this.publish("create", record.name, { driver: record.driver });
    return record;
  }

  async inspect(name: string): Promise<Volume> {
    return this.toApiVolume(this.store.get(name));
  }

  async remove(name: string, { force }: { force: boolean }): Promise<void> {
    if (force && this.store.find(name) === undefined) return;
    this.store.get(name);
    await this.locks.run(name, () => this.removeLocked(name));
  }

  private async removeLocked(name: string): Promise<void> {
    const users = this.deps.usage.usingVolume(name);
    if (users.length > 0) throw conflict(`remove ${name}: volume is in use - [${users.join(", ")}]`);
    await this.store.remove(name);
    this.publish("destroy", name, { driver: "local" });
  }

  /** Removes volumes that no container refers to: anonymous ones, or with `all` any. */
  async prune(filters: Filters): Promise<PruneVolumesResponse> {
    const selected = parsePruneFilters(filters);
    const deleted: string[] = [];
    let reclaimed = 0;
    for (const record of this.store.list()) {
      if (!selected(record) || this.deps.usage.usingVolume(record.name).length > 0) continue;
      const size = await directorySize(this.store.dataPath(record.name));
      // Measuring took time: a container may have come, or another prune.
      if (!(await this.removeIfUnused(record.name))) continue;
      deleted.push(record.name);
      reclaimed += size;
    }
    this.publish("prune", "", { reclaimed: String(reclaimed) });
    return { VolumesDeleted: deleted, SpaceReclaimed: reclaimed };
  }

  /** Removes anonymous volumes of a removed container, except those that another one uses. */
  async removeUnused(names: readonly string[]): Promise<void> {
    for (const name of names) await this.removeIfUnused(name);
  }

  private removeIfUnused(name: string): Promise<boolean> {
    return this.locks.run(name, async () => {
      if (this.store.find(name) === undefined || this.deps.usage.usingVolume(name).length > 0) return false;
      await this.store.remove(name);
      this.publish("destroy", name, { driver: "local" });
      return true;
    });
  }

  /** All volumes with their size and number of containers, for `system df`. */
  async withUsage(): Promise<Volume[]> {
    const volumes: Volume[] = [];
    for (const record of this.store.list()) {
      const Size = await directorySize(this.store.dataPath(record.name));
      const RefCount = this.deps.usage.usingVolume(record.name).length;
      volumes.push({ ...this.toApiVolume(record), UsageData: { Size, RefCount } });
    }
    return volumes;
  }

  publish(action: VolumeEvent["action"], id: string, attributes: Record<string, string>): void {
    this.deps.publish({ type: "volume", action, id, attributes });
  }

  private toApiVolume({ name, driver, labels, createdAt }: VolumeRecord): Volume {
    return {
      CreatedAt: createdAt,
      Driver: driver,
      Labels: labels,
      Mountpoint: this.store.dataPath(name),
      Name: name,
      Options: null,
      Scope: "local",
    };
  }
}

/** Bytes of the files below a directory; hard links count once. Other threads do the work, a folder at a time. */
export async function directorySize(path: string, seen: Set<string> = new Set()): Promise<number> {
  let entries: Dirent[];
  try {
    entries = await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (errorCode(error) === "ENOENT") return 0;
    throw error;
  }
  let total = 0;
  for (const entry of entries) {
    const child = join(path, entry.name);
    if (entry.isDirectory()) total += await directorySize(child, seen);
    else total += await fileSize(child, seen);
  }
  return total;
}

async function fileSize(path: string, seen: Set<string>): Promise<number> {
  try {
    const { size, nlink, dev, ino } = await lstat(path);
    if (nlink > 1 && seen.has(`${dev}:${ino}`)) return 0;
    if (nlink > 1) seen.add(`${dev}:${ino}`);
    return size;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return 0;
    throw error;
  }
}
