/** Engine API wire types: volumes. Source: Docker Engine API 1.51. */

export interface Volume {
  Name: string;
  Driver: string;
  Mountpoint: string;
  CreatedAt?: string;
  Status?: object;
  Labels: Record<string, string> | null;
  Scope: string;
  Options: Record<string, string> | null;
  UsageData?: { Size: number; RefCount: number } | null;
}

export interface VolumeCreateRequest {
  Name?: string;
  Driver?: string;
  DriverOpts?: Record<string, string> | null;
  Labels?: Record<string, string> | null;
}

export interface VolumeListResponse {
  Volumes: Volume[] | null;
  Warnings: string[] | null;
}

export interface PruneVolumesResponse {
  VolumesDeleted: string[] | null;
  SpaceReclaimed: number;
}

/** Gantry's own: a volume at one moment. */
export interface VolumeSnapshot {
  Name: string;
  Volume: string;
  /** RFC 3339. */
  CreatedAt: string;
  /** Bytes of its files, whether it shares them with the volume or not. */
  Size: number;
  Labels: Record<string, string> | null;
}

export interface VolumeSnapshotRequest {
  /** Empty: volume and time. */
  Name?: string;
  Labels?: Record<string, string> | null;
}

/** Where to put data: of a snapshot, of another volume. */
export interface VolumePlaceRequest {
  /** Volume to fill; made if it is not there. Restore: empty means the snapshot's own, whose data is replaced. */
  Name?: string;
  /** Labels of a volume that is made; null: those of where the data comes from. */
  Labels?: Record<string, string> | null;
  /** Data that is there already goes. */
  Replace?: boolean;
}

/** Gantry's own: a volume that is backed up by schedule. */
export interface VolumeBackup {
  Name: string;
  Volume: string;
  /** Cron's five fields, `@daily` and the like, or `@every 6h`. */
  Schedule: string;
  /** How many of its backups stay. */
  Keep: number;
  /** Directory of the daemon's host for gzipped archives; empty: snapshots. */
  Directory: string;
  CreatedAt: string;
  /** RFC 3339. */
  NextRun: string;
  /** Empty before the first. */
  LastRun: string;
  /** Why the last one failed; empty when it did not. */
  LastError: string;
  /** Oldest first: names of snapshots, or paths of archives. */
  Backups: string[];
}

export type VolumeBackupRequest = Partial<Pick<VolumeBackup, "Name" | "Volume" | "Schedule" | "Keep" | "Directory">>;
