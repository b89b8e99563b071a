/** Volumes as wholes, beyond Docker: snapshots, archives, artifacts in registries, scheduled backups. Built here, in order. */
import type { Logger } from "../../base/log.ts";
import type { Database } from "../../metadata/database.ts";
import type { Registries } from "../../remote/registries.ts";
import { BackupStore } from "./backups/backup-store.ts";
import { VolumeBackups } from "./backups/backups.ts";
import { type Holder, VolumeData } from "./data.ts";
import { SnapshotStore } from "./snapshots/snapshot-store.ts";
import { VolumeSnapshots } from "./snapshots/snapshots.ts";
import { VolumeArchives } from "./transfer/archives.ts";
import { VolumeArtifacts } from "./transfer/artifacts.ts";
import type { Volumes } from "./volumes.ts";

export interface VolumeCopies {
  snapshots: VolumeSnapshots;
  archives: VolumeArchives;
  artifacts: VolumeArtifacts;
  backups: VolumeBackups;
}

export interface CopiesDependencies {
  volumes: Volumes;
  holder: Holder;
  database: Database;
  /** Directory of the snapshots. */
  directory: string;
  registries: Pick<Registries, "visit">;
  log: Pick<Logger, "error">;
}

/** Resolves when what a crash left is cleared. Backups begin with `backups.start()`, when containers have started. */
export async function openVolumeCopies(deps: CopiesDependencies): Promise<VolumeCopies> {
  const { volumes, holder, database, directory, registries, log } = deps;
  const data = new VolumeData(volumes, holder);
  const store = new SnapshotStore(database, directory);
  await store.recover();
  const snapshots = new VolumeSnapshots(store, data);
  const archives = new VolumeArchives(snapshots, data);
  const artifacts = new VolumeArtifacts(archives, data, registries);
  const backups = new VolumeBackups({ store: new BackupStore(database), volumes, snapshots, archives, log });
  return { snapshots, archives, artifacts, backups };
}
