/** Uploads that are under way: which repository each belongs to, so that they can be resumed after a restart. */
import type { RegistryDatabase } from "./database.ts";

export class UploadIndex {
  private readonly database: RegistryDatabase;

  constructor(database: RegistryDatabase) {
    this.database = database;
  }

  add(id: string, repository: string): void {
    this.database.run("INSERT INTO uploads VALUES (?, ?, ?)", id, repository, Date.now());
  }

  has(id: string, repository: string): boolean {
    return this.database.get("SELECT 1 FROM uploads WHERE id = ? AND repository = ?", id, repository) !== undefined;
  }

  touch(id: string): void {
    this.database.run("UPDATE uploads SET touched = ? WHERE id = ?", Date.now(), id);
  }

  remove(id: string): void {
    this.database.run("DELETE FROM uploads WHERE id = ?", id);
  }

  /** Uploads not touched since `before` (ms since the epoch). */
  stale(before: number): string[] {
    return this.database.all<{ id: string }>("SELECT id FROM uploads WHERE touched < ?", before).map((row) => row.id);
  }

  isKnown(id: string): boolean {
    return this.database.get("SELECT 1 FROM uploads WHERE id = ?", id) !== undefined;
  }
}
