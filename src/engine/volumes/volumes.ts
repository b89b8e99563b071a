/** `docker volume`: what the Engine API does with volumes, with dockerd's messages and events. */
import type { Dirent } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Filters } from "../../api/system.ts";
import type { PruneVolumesResponse, Volume, VolumeCreateRequest, VolumeListResponse } from "../../api/volumes.ts";
import { conflict, EngineError, errorCode, errorMessage, notFound, withPrefix } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import { KeyLocks } from "../../base/key-locks.ts";
import { VolumeAccess } from "./drivers/access.ts";
import type { PluginDriver, PluginDrivers, PluginVolume } from "./drivers/plugin-driver.ts";
import { checkListFilters, matchesList, parsePruneFilters } from "./volume-filters.ts";
import {
  checkRecordSize,
  localDriver,
  newRecord,
  type Staging,
  type VolumeRecord,
  type VolumeRequest,
  type VolumeStore,
} from "./volume-store.ts";

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
  drivers: Pick<PluginDrivers, "get" | "all">;
  publish(event: VolumeEvent): void;
}

export class Volumes {
  readonly store: VolumeStore;
  readonly access: VolumeAccess;
  /** By volume: held while it is filled, mounted for a start, copied, replaced or removed. */
  readonly locks = new KeyLocks();
  private readonly deps: VolumesDependencies;

  constructor(deps: VolumesDependencies) {
    this.deps = deps;
    this.store = deps.store;
    this.access = new VolumeAccess(deps.store, deps.drivers);
  }

  /** A driver that does not answer is a warning: its volumes are not listed. */
  async list(filters: Filters): Promise<VolumeListResponse> {
    checkListFilters(filters);
    const inUse = (name: string) => this.deps.usage.usingVolume(name).length > 0;
    const { volumes, warnings } = await this.all();
    const found = volumes.filter(({ record }) => matchesList(record, filters, inUse));
    return {
      Volumes: found.map(({ record, foreign }) => toApiVolume(record, foreign ?? this.here(record))),
      Warnings: warnings.length === 0 ? null : warnings,
    };
  }

  async create(request: VolumeCreateRequest): Promise<Volume> {
    const { Name, Driver, DriverOpts, Labels } = request;
    const record = await this.ensure({
      ...(Name === undefined ? {} : { name: Name }),
      driver: Driver || localDriver,
      options: DriverOpts ?? null,
      labels: Labels ?? null,
    });
    return this.show(record);
  }

  /** The named volume, made when it is not there. Without a driver, whoever has it will do. */
  async ensure(request: VolumeRequest): Promise<VolumeRecord> {
    const { driver = "" } = request;
    const name = request.name || newId();
    const fail = (reason: string) => `create ${name}: ${reason}`;
    const plugin = await this.driver(driver).catch((error: unknown) => {
      throw error instanceof EngineError ? withPrefix(fail(""), error) : error;
    });
    checkRecordSize(name, request);
    const existing = request.name ? await this.find(name) : undefined;
    if (existing !== undefined) {
      if (driver === "" || driver === existing.driver) return existing;
      const held = `driver '${existing.driver}' already has volume '${name}'`;
      throw conflict(fail(`${held}: volume name must be unique`));
    }
    const made = plugin === undefined ? this.store.create({ ...request, name }, !request.name) : undefined;
    const record = made?.record ?? newRecord(name, request);
    if (plugin !== undefined) {
      await plugin.create(name, request.options ?? null).catch((error: unknown) => {
        throw error instanceof EngineError ? withPrefix(fail(""), error) : error;
      });
      this.store.addForeign(record);
    }
    if (made?.created !== false) this.publish("create", name, { driver: record.driver });
    return record;
  }

  /** A new volume of data that was gathered beside the volumes. */
  adopt(request: VolumeRequest & { name: string }, staging: Staging): VolumeRecord {
    const record = this.store.adopt(request, staging);
    this.publish("create", record.name, { driver: record.driver });
    return record;
  }

  /** Here or, when the engine has no record, in a plugin. */
  async find(name: string): Promise<VolumeRecord | undefined> {
    const record = this.store.find(name);
    if (record !== undefined) return record;
    for (const driver of await this.deps.drivers.all()) {
      const found = await driver.find(name).catch(() => undefined);
      if (found !== undefined) return foreignRecord(driver.name, found);
    }
    return undefined;
  }

  async get(name: string): Promise<VolumeRecord> {
    return (await this.find(name)) ?? this.store.get(name);
  }

  async inspect(name: string): Promise<Volume> {
    return this.show(await this.get(name));
  }

  async remove(name: string, { force }: { force: boolean }): Promise<void> {
    await this.locks.run(name, async () => {
      const record = await this.find(name);
      if (force && record === undefined) return;
      await this.removeLocked(record ?? this.store.get(name));
    });
  }

  private async removeLocked(record: VolumeRecord): Promise<void> {
    const { name } = record;
    const users = this.deps.usage.usingVolume(name);
    if (users.length > 0) throw conflict(`remove ${name}: volume is in use - [${users.join(", ")}]`);
    await this.removeData(record).catch((error: unknown) => {
      throw error instanceof EngineError ? withPrefix(`remove ${name}: `, error) : error;
    });
  }

  private async removeData({ name, driver }: VolumeRecord): Promise<void> {
    await (await this.driver(driver))?.remove(name);
    if (this.store.find(name) !== undefined) await this.store.remove(name);
    this.publish("destroy", name, { driver });
  }

  /** Removes volumes that no container refers to: anonymous ones, or with `all` any. Those with options or of plugins stay, as in Docker. */
  async prune(filters: Filters): Promise<PruneVolumesResponse> {
    const selected = parsePruneFilters(filters);
    const deleted: string[] = [];
    let reclaimed = 0;
    for (const record of this.store.list()) {
      if (!isPrunable(record) || !selected(record) || this.deps.usage.usingVolume(record.name).length > 0) continue;
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
      const record = this.store.find(name);
      if (record === undefined || this.deps.usage.usingVolume(name).length > 0) return false;
      await this.removeData(record);
      return true;
    });
  }

  /** The volumes that `prune` looks at, with their size and number of containers, for `system df`. */
  async withUsage(): Promise<Volume[]> {
    const volumes: Volume[] = [];
    for (const record of this.store.list().filter(isPrunable)) {
      const Size = await directorySize(this.store.dataPath(record.name));
      const RefCount = this.deps.usage.usingVolume(record.name).length;
      volumes.push({ ...toApiVolume(record, this.here(record)), UsageData: { Size, RefCount } });
    }
    return volumes;
  }

  publish(action: VolumeEvent["action"], id: string, attributes: Record<string, string>): void {
    this.deps.publish({ type: "volume", action, id, attributes });
  }

  /** Undefined for the engine's own. */
  private async driver(name: string): Promise<PluginDriver | undefined> {
    return name === "" || name === localDriver ? undefined : this.deps.drivers.get(name);
  }

  /** Of plugins, what they have now: labels and options are the engine's, where it made them. */
  private async all(): Promise<{ volumes: { record: VolumeRecord; foreign?: Shown }[]; warnings: string[] }> {
    const warnings: string[] = [];
    const volumes: { record: VolumeRecord; foreign?: Shown }[] = this.store
      .list()
      .filter(({ driver }) => driver === localDriver)
      .map((record) => ({ record }));
    for (const driver of await this.deps.drivers.all()) {
      const found = await driver.list().catch((error: unknown) => {
        warnings.push(errorMessage(error));
        return [];
      });
      for (const volume of found) {
        const known = this.store.find(volume.name);
        if (known !== undefined && known.driver !== driver.name) continue;
        volumes.push({
          record: known ?? foreignRecord(driver.name, volume),
          foreign: { ...volume, scope: driver.scope },
        });
      }
    }
    volumes.sort((a, b) => (a.record.name < b.record.name ? -1 : 1));
    return { volumes, warnings };
  }

  private async show(record: VolumeRecord): Promise<Volume> {
    const plugin = await this.driver(record.driver);
    if (plugin === undefined) return toApiVolume(record, this.here(record));
    const found = await plugin.find(record.name);
    if (found === undefined) throw notFound(`get ${record.name}: no such volume`);
    return toApiVolume(record, { ...found, scope: plugin.scope });
  }

  private here({ name }: VolumeRecord): Shown {
    return { mountpoint: this.store.dataPath(name), scope: "local" };
  }
}

/** What a driver says of a volume. */
type Shown = Pick<PluginVolume, "mountpoint" | "createdAt" | "status"> & { scope: string };

function toApiVolume({ name, driver, labels, options = null, createdAt }: VolumeRecord, shown: Shown): Volume {
  return {
    CreatedAt: shown.createdAt ?? createdAt,
    Driver: driver,
    Labels: labels,
    Mountpoint: shown.mountpoint,
    Name: name,
    Options: options,
    Scope: shown.scope,
    ...(shown.status === undefined ? {} : { Status: shown.status }),
  };
}

function foreignRecord(driver: string, { name, createdAt = "" }: PluginVolume): VolumeRecord {
  return { name, driver, labels: null, options: null, createdAt };
}

function isPrunable({ driver, options }: VolumeRecord): boolean {
  return driver === localDriver && Object.keys(options ?? {}).length === 0;
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
