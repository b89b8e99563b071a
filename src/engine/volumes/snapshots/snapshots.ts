/** Snapshots of volumes: taken while the containers stand still, put back, cloned. Beyond Docker: docs/volumes.md. */
import { labelsMatch } from "../../../api/filters.ts";
import type { Filters } from "../../../api/system.ts";
import type { Volume, VolumeSnapshot, VolumeSnapshotRequest } from "../../../api/volumes.ts";
import { timeStamp } from "../../../base/clock.ts";
import { conflict, invalidArgument } from "../../../base/errors.ts";
import { KeyLocks } from "../../../base/key-locks.ts";
import { copyTree } from "../copy-tree.ts";
import type { PlaceOptions, VolumeData } from "../data.ts";
import { checkRecordSize } from "../volume-store.ts";
import { directorySize } from "../volumes.ts";
import type { SnapshotDirectory, SnapshotRecord, SnapshotStore } from "./snapshot-store.ts";

export class VolumeSnapshots {
  private readonly store: SnapshotStore;
  private readonly data: VolumeData;
  /** By snapshot: what is read is not removed meanwhile. */
  private readonly locks = new KeyLocks();

  constructor(store: SnapshotStore, data: VolumeData) {
    this.store = store;
    this.data = data;
  }

  /** Copies the volume at one moment. Rejects `conflict` when the name is taken. */
  async create(volume: string, request: VolumeSnapshotRequest, signal: AbortSignal): Promise<VolumeSnapshot> {
    const source = await this.data.volumes.get(volume);
    const name = request.Name || freeName(volume, (taken) => this.exists(taken));
    checkName(name);
    checkRecordSize(volume, { labels: request.Labels ?? null });
    if (this.exists(name)) throw conflict(`a snapshot ${name} exists already`);
    await using directory = await this.copy(volume, signal);
    const size = await directorySize(directory.path);
    if (this.exists(name)) throw conflict(`a snapshot ${name} exists already`);
    const createdAt = new Date().toISOString();
    const { id } = directory;
    const labels = request.Labels ?? null;
    this.store.add({ id, name, volume, size, labels, volumeLabels: source.labels, createdAt });
    this.data.volumes.publish("snapshot", volume, { driver: source.driver, snapshot: name });
    return this.inspect(name);
  }

  /** A copy of the volume at one moment, without a name: it is gone when it is disposed of, or the daemon ends. */
  async copy(volume: string, signal: AbortSignal): Promise<SnapshotDirectory> {
    await this.data.volumes.get(volume);
    const directory = this.store.makeDirectory();
    try {
      await this.data.copyOut(volume, directory.path, signal);
      return directory;
    } catch (error) {
      await directory[Symbol.asyncDispose]();
      throw error;
    }
  }

  async list(filters: Filters): Promise<VolumeSnapshot[]> {
    const { volume, name } = filters;
    return this.store
      .list()
      .filter((record) => !volume?.length || volume.includes(record.volume))
      .filter((record) => !name?.length || name.includes(record.name))
      .filter((record) => labelsMatch(filters, record.labels))
      .map(toApi);
  }

  exists(name: string): boolean {
    return this.store.find(name) !== undefined;
  }

  async inspect(name: string): Promise<VolumeSnapshot> {
    return toApi(this.store.get(name));
  }

  remove(name: string): Promise<void> {
    return this.locks.run(name, () => this.store.remove(name));
  }

  /** Calls `work` with the record and the directory of a snapshot, which stays until that is done. */
  use<T>(name: string, work: (record: SnapshotRecord, path: string) => Promise<T>): Promise<T> {
    return this.locks.run(name, async () => {
      const record = this.store.get(name);
      return work(record, this.store.dataPath(record.id));
    });
  }

  /** Puts a snapshot in the place of its volume's data, or of `volume`'s, which is made if it is not there. */
  async restore(name: string, volume: string | undefined, options: PlaceOptions, signal: AbortSignal): Promise<Volume> {
    return this.use(name, async (record, path) => {
      const target = volume || record.volume;
      const replace = options.replace || target === record.volume;
      const labels = options.labels ?? record.volumeLabels;
      await this.data.place(target, { replace, labels }, (directory) => copy(path, directory, target, signal));
      this.data.volumes.publish("restore", target, { driver: "local", snapshot: name });
      return this.data.volumes.inspect(target);
    });
  }

  /** Makes a volume with the data of another. */
  async clone(volume: string, name: string, labels: PlaceOptions["labels"], signal: AbortSignal): Promise<Volume> {
    const { volumes } = this.data;
    const source = await volumes.get(volume);
    if (volumes.store.find(name) !== undefined) throw conflict(`create ${name}: a volume of this name exists already`);
    await this.data.place(name, { replace: false, labels: labels ?? source.labels }, (directory) =>
      this.data.copyOut(volume, directory, signal),
    );
    return volumes.inspect(name);
  }
}

function copy(source: string, target: string, volume: string, signal: AbortSignal): Promise<void> {
  return copyTree(source, target, { failure: `cannot restore volume ${volume}`, signal });
}

function toApi({ name, volume, size, labels, createdAt }: SnapshotRecord): VolumeSnapshot {
  return { Name: name, Volume: volume, CreatedAt: createdAt, Size: size, Labels: labels };
}

/** `data-20261124T181500Z`, with a number when there is one of that second. */
function freeName(volume: string, taken: (name: string) => boolean): string {
  const base = `${volume.slice(0, 200)}-${timeStamp(new Date())}`;
  let name = base;
  for (let number = 2; taken(name); number++) name = `${base}-${number}`;
  return name;
}

export function checkName(name: string): void {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/.test(name)) return;
  throw invalidArgument(
    `invalid name ${JSON.stringify(name.slice(0, 300))}: a letter or digit, then up to 254 of [a-zA-Z0-9_.-]`,
  );
}
