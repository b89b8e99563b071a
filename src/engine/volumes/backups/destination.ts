/** Where backups go: to snapshots in the engine's own directory, or as gzipped archives to a directory of the host. */
import { existsSync, statSync } from "node:fs";
import { copyFile, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { timeStamp } from "../../../base/clock.ts";
import { errorMessage, internal, invalidArgument, isNotFound } from "../../../base/errors.ts";
import type { VolumeSnapshots } from "../snapshots/snapshots.ts";
import type { VolumeArchives } from "../transfer/archives.ts";
import type { BackupRecord } from "./backup-store.ts";

export interface Destination {
  /** Name of the next one: sorts by time. */
  next(record: BackupRecord, at: Date): string;
  exists(backup: string): boolean;
  /** Makes it, whole or not at all. */
  make(record: BackupRecord, backup: string, signal: AbortSignal): Promise<void>;
  /** Idempotent. */
  remove(backup: string): Promise<void>;
  /** Clears what a crash left of backups that were never whole. */
  tidy(record: BackupRecord): Promise<void>;
}

/** On snapshots: which backup they belong to. */
export const backupLabel = "dev.gantry.volume.backup";

export class SnapshotDestination implements Destination {
  private readonly snapshots: VolumeSnapshots;

  constructor(snapshots: VolumeSnapshots) {
    this.snapshots = snapshots;
  }

  next({ name }: BackupRecord, at: Date): string {
    return `${name}-${timeStamp(at)}`;
  }

  exists(backup: string): boolean {
    return this.snapshots.exists(backup);
  }

  async make({ name, volume }: BackupRecord, backup: string, signal: AbortSignal): Promise<void> {
    await this.snapshots.create(volume, { Name: backup, Labels: { [backupLabel]: name } }, signal);
  }

  async remove(backup: string): Promise<void> {
    await this.snapshots.remove(backup).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }

  async tidy(): Promise<void> {
    // The snapshots' own recovery does it.
  }
}

export class DirectoryDestination implements Destination {
  private readonly archives: VolumeArchives;

  constructor(archives: VolumeArchives) {
    this.archives = archives;
  }

  next({ name, directory }: BackupRecord, at: Date): string {
    return join(directory, `${name}-${timeStamp(at)}.tar.gz`);
  }

  exists(backup: string): boolean {
    return existsSync(backup);
  }

  async make({ volume }: BackupRecord, backup: string, signal: AbortSignal): Promise<void> {
    await using archive = await this.archives.gzip(volume, signal);
    const draft = draftOf(backup);
    try {
      await copyFile(archive.path, draft);
      await syncFile(draft);
      await rename(draft, backup);
      await syncFile(dirname(backup));
    } catch (error) {
      await rm(draft, { force: true });
      throw internal(`cannot write ${backup}: ${errorMessage(error)}`, { cause: error });
    }
  }

  async remove(backup: string): Promise<void> {
    await rm(backup, { force: true });
  }

  async tidy({ name, directory }: BackupRecord): Promise<void> {
    const mine = new RegExp(`^\\.${name.replaceAll(".", "\\.")}-\\d{8}T\\d{6}Z\\.tar\\.gz\\.part$`);
    for (const entry of await readdir(directory).catch(() => [])) {
      if (mine.test(entry)) await rm(join(directory, entry), { force: true });
    }
  }
}

/** Throws `invalid-argument` for what cannot hold backups. */
export function checkDirectory(directory: string): void {
  const fail = (reason: string) => invalidArgument(`invalid backup directory ${JSON.stringify(directory)}: ${reason}`);
  if (directory.includes("\0")) throw fail("it holds a NUL byte");
  if (!directory.startsWith("/")) throw fail("it must be an absolute path on the daemon's host");
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) throw fail("no such directory");
}

function draftOf(backup: string): string {
  return join(dirname(backup), `.${basename(backup)}.part`);
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
