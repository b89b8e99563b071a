/** Paths of Gantry's own routes for volumes. */

export function volumePath(name: string): string {
  return `/gantry/volumes/${encodeURIComponent(name)}`;
}

export function snapshotPath(name: string): string {
  return `/gantry/snapshots/${encodeURIComponent(name)}`;
}

export function backupPath(name: string): string {
  return `/gantry/backups/${encodeURIComponent(name)}`;
}
