/**
 * Backups of volumes by schedule: each run makes one and then removes the oldest above the number to keep. A run that fails removes
 * nothing. What came due while the daemon was not running is made up for once, when it is.
 */
import type { VolumeBackup, VolumeBackupRequest } from "../../../api/volumes.ts";
import { conflict, errorMessage, invalidArgument } from "../../../base/errors.ts";
import { KeyLocks } from "../../../base/key-locks.ts";
import type { Logger } from "../../../base/log.ts";
import { checkName, type VolumeSnapshots } from "../snapshots/snapshots.ts";
import type { VolumeArchives } from "../transfer/archives.ts";
import type { Volumes } from "../volumes.ts";
import type { BackupRecord, BackupStore } from "./backup-store.ts";
import { checkDirectory, type Destination, DirectoryDestination, SnapshotDestination } from "./destination.ts";
import { nextRun } from "./schedule.ts";

export interface BackupsDependencies {
  store: BackupStore;
  volumes: Volumes;
  snapshots: VolumeSnapshots;
  archives: VolumeArchives;
  log: Pick<Logger, "error">;
}

/** setTimeout's longest; a later time is looked at again then. */
const longestTimer = 2 ** 31 - 1;
const defaultKeep = 7;

export class VolumeBackups {
  private readonly deps: BackupsDependencies;
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();
  private readonly locks = new KeyLocks();
  private readonly closing = new AbortController();
  private readonly running = new Set<Promise<unknown>>();

  constructor(deps: BackupsDependencies) {
    this.deps = deps;
  }

  /** Begins to follow the schedules. */
  start(): void {
    for (const record of this.deps.store.list()) this.schedule(record);
  }

  /** A run in the middle is ended, as if it had not begun. */
  async close(): Promise<void> {
    this.closing.abort();
    for (const timer of this.timers.values()) clearTimeout(timer);
    await Promise.allSettled(this.running);
  }

  async create(request: VolumeBackupRequest): Promise<VolumeBackup> {
    const { Name = "", Volume = "", Schedule = "", Keep = defaultKeep, Directory = "" } = request;
    await this.deps.volumes.get(Volume);
    const name = Name || Volume;
    checkName(name);
    if (!Number.isInteger(Keep) || Keep < 1) throw invalidArgument("invalid number of backups to keep: at least 1");
    const now = Date.now();
    nextRun(Schedule, now);
    if (Directory !== "") checkDirectory(Directory);
    if (this.deps.store.find(name) !== undefined) throw conflict(`a volume backup ${name} exists already`);
    const record: BackupRecord = {
      ...{ name, volume: Volume, schedule: Schedule, keep: Keep, directory: Directory },
      ...{ createdAt: now, lastRun: 0, lastError: "", backups: [] },
    };
    this.deps.store.create(record);
    this.schedule(record);
    return this.toApi(record);
  }

  async list(): Promise<VolumeBackup[]> {
    return this.deps.store.list().map((record) => this.toApi(record));
  }

  async inspect(name: string): Promise<VolumeBackup> {
    return this.toApi(this.deps.store.get(name));
  }

  /** Ends the schedule. What has been backed up stays. */
  async remove(name: string): Promise<void> {
    this.deps.store.delete(name);
    clearTimeout(this.timers.get(name));
    this.timers.delete(name);
  }

  /** Makes a backup now. Rejects when it fails. */
  async run(name: string): Promise<VolumeBackup> {
    this.deps.store.get(name);
    const work = this.locks.run(name, () => this.runLocked(name));
    this.running.add(work);
    try {
      await work;
    } finally {
      this.running.delete(work);
    }
    return this.inspect(name);
  }

  private async runLocked(name: string): Promise<void> {
    const { store } = this.deps;
    const record = store.get(name);
    const destination = this.destination(record);
    const at = new Date();
    const backup = nextName(destination, record, at);
    // Of a run that was cut in this very second only the name is here: it must not count twice.
    const before = record.backups.filter((other) => other !== backup);
    try {
      await destination.tidy(record);
      store.update(name, { backups: [...before, backup] });
      await destination.make(record, backup, this.closing.signal);
    } catch (error) {
      if (this.closing.signal.aborted) return;
      store.update(name, { lastRun: at.getTime(), lastError: errorMessage(error), backups: before });
      throw error;
    }
    store.update(name, { lastRun: at.getTime(), lastError: "" });
    await this.prune(name);
  }

  private async prune(name: string): Promise<void> {
    const { store } = this.deps;
    const record = store.find(name);
    if (record === undefined) return;
    const destination = this.destination(record);
    const there = record.backups.filter((backup) => destination.exists(backup));
    for (const backup of there.slice(0, -record.keep)) await destination.remove(backup);
    store.update(name, { backups: there.slice(-record.keep) });
  }

  private schedule(record: BackupRecord): void {
    const { name } = record;
    clearTimeout(this.timers.get(name));
    const wait = dueAt(record) - Date.now();
    const timer = setTimeout(
      () => {
        if (wait > longestTimer) this.reschedule(name);
        else void this.runOnTime(name);
      },
      Math.min(Math.max(wait, 0), longestTimer),
    );
    this.timers.set(name, timer);
  }

  private async runOnTime(name: string): Promise<void> {
    const began = Date.now();
    await this.run(name).catch((error: unknown) => {
      this.deps.log.error("a scheduled volume backup failed", { backup: name, error: errorMessage(error) });
    });
    this.reschedule(name, began);
  }

  /** One that could not even be recorded, on a full disk, has been tried all the same: the next is due after it. */
  private reschedule(name: string, tried = 0): void {
    const record = this.deps.store.find(name);
    if (record === undefined || this.closing.signal.aborted) return;
    this.schedule({ ...record, lastRun: Math.max(record.lastRun, tried) });
  }

  private destination({ directory }: BackupRecord): Destination {
    return directory === ""
      ? new SnapshotDestination(this.deps.snapshots)
      : new DirectoryDestination(this.deps.archives);
  }

  private toApi(record: BackupRecord): VolumeBackup {
    const destination = this.destination(record);
    return {
      Name: record.name,
      Volume: record.volume,
      Schedule: record.schedule,
      Keep: record.keep,
      Directory: record.directory,
      CreatedAt: new Date(record.createdAt).toISOString(),
      NextRun: new Date(dueAt(record)).toISOString(),
      LastRun: record.lastRun === 0 ? "" : new Date(record.lastRun).toISOString(),
      LastError: record.lastError,
      Backups: record.backups.filter((backup) => destination.exists(backup)),
    };
  }
}

function dueAt({ schedule, lastRun, createdAt }: BackupRecord): number {
  return nextRun(schedule, lastRun || createdAt);
}

/** Names have seconds: a run in the second of another one takes the next that is free. */
function nextName(destination: Destination, record: BackupRecord, at: Date): string {
  for (let seconds = 0; ; seconds++) {
    const name = destination.next(record, new Date(at.getTime() + seconds * 1000));
    if (!destination.exists(name)) return name;
  }
}
