/**
 * Snapshots of volumes: a record in the database and a directory `<root>/<id>/_data`. The directory is whole before the record comes and
 * goes after it: one without a record is half a copy or half a removal, and `recover` clears it.
 */
import { mkdirSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { notFound } from "../../../base/errors.ts";
import { newId } from "../../../base/ids.ts";
import type { Database } from "../../../metadata/database.ts";

export interface SnapshotRecord {
  id: string;
  name: string;
  volume: string;
  /** Bytes of its files. */
  size: number;
  labels: Record<string, string> | null;
  /** The volume's own at that time. */
  volumeLabels: Record<string, string> | null;
  /** RFC 3339, milliseconds. */
  createdAt: string;
}

/** A directory of the store. Disposing removes it, unless it was kept; idempotent. */
export interface SnapshotDirectory extends AsyncDisposable {
  readonly id: string;
  readonly path: string;
}

export class SnapshotStore {
  private readonly database: Database;
  private readonly root: string;

  constructor(database: Database, root: string) {
    this.database = database;
    this.root = root;
    mkdirSync(root, { recursive: true, mode: 0o700 });
  }

  async recover(): Promise<void> {
    const known = new Set(this.list().map(({ id }) => id));
    for (const entry of readdirSync(this.root)) {
      if (!known.has(entry)) await rm(join(this.root, entry), { recursive: true, force: true });
    }
  }

  list(): SnapshotRecord[] {
    return this.database
      .all<{ doc: string }>("SELECT doc FROM volume_snapshots ORDER BY created, name")
      .map(({ doc }) => JSON.parse(doc) as SnapshotRecord);
  }

  find(name: string): SnapshotRecord | undefined {
    const row = this.database.get<{ doc: string }>("SELECT doc FROM volume_snapshots WHERE name = ?", name);
    return row === undefined ? undefined : (JSON.parse(row.doc) as SnapshotRecord);
  }

  get(name: string): SnapshotRecord {
    const record = this.find(name);
    if (record === undefined) throw notFound(`No such volume snapshot: ${name}`);
    return record;
  }

  dataPath(id: string): string {
    return join(this.root, id, "_data");
  }

  /** An empty directory for a copy; it stays only if a record is added for it. */
  makeDirectory(): SnapshotDirectory {
    const id = newId();
    const path = this.dataPath(id);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return { id, path, [Symbol.asyncDispose]: async () => this.clear(id) };
  }

  add(record: SnapshotRecord): void {
    const { name, volume, createdAt } = record;
    this.database.run(
      "INSERT INTO volume_snapshots VALUES (?, ?, ?, ?)",
      ...[name, volume, Date.parse(createdAt), JSON.stringify(record)],
    );
  }

  /** Forgets it at once; resolves when its data is gone. */
  async remove(name: string): Promise<void> {
    const { id } = this.get(name);
    this.database.run("DELETE FROM volume_snapshots WHERE name = ?", name);
    await this.clear(id);
  }

  private async clear(id: string): Promise<void> {
    if (this.list().some((record) => record.id === id)) return;
    await rm(join(this.root, id), { recursive: true, force: true });
  }
}
