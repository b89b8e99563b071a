/** Which volumes are backed up, when, where to, and what there is of it. */
import { notFound } from "../../../base/errors.ts";
import type { Database } from "../../../metadata/database.ts";

export interface BackupRecord {
  name: string;
  volume: string;
  schedule: string;
  keep: number;
  /** Empty: snapshots. */
  directory: string;
  /** Milliseconds since 1970. */
  createdAt: number;
  /** 0 before the first run. */
  lastRun: number;
  lastError: string;
  /** Oldest first. One is written here before it is made, so that none is forgotten; what is not there any more is passed over. */
  backups: string[];
}

export class BackupStore {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  list(): BackupRecord[] {
    const rows = this.database.all<{ doc: string }>("SELECT doc FROM volume_backups ORDER BY name");
    return rows.map(({ doc }) => JSON.parse(doc) as BackupRecord);
  }

  find(name: string): BackupRecord | undefined {
    const row = this.database.get<{ doc: string }>("SELECT doc FROM volume_backups WHERE name = ?", name);
    return row === undefined ? undefined : (JSON.parse(row.doc) as BackupRecord);
  }

  get(name: string): BackupRecord {
    const record = this.find(name);
    if (record === undefined) throw notFound(`No such volume backup: ${name}`);
    return record;
  }

  create(record: BackupRecord): void {
    this.database.run("INSERT INTO volume_backups VALUES (?, ?)", record.name, JSON.stringify(record));
  }

  /** Does nothing when it was removed meanwhile. */
  update(name: string, change: Partial<BackupRecord>): void {
    this.database.transaction(() => {
      const record = this.find(name);
      if (record === undefined) return;
      const doc = JSON.stringify({ ...record, ...change });
      this.database.run("UPDATE volume_backups SET doc = ? WHERE name = ?", doc, name);
    });
  }

  delete(name: string): void {
    this.get(name);
    this.database.run("DELETE FROM volume_backups WHERE name = ?", name);
  }
}
