/**
 * Directories that builds leave for later ones: cache mounts, and what clients have sent of theirs. A row is written before its directory
 * is made; start-up removes what has only one of the two.
 */
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Database } from "../../metadata/database.ts";

export type KeptType = "exec.cachemount" | "source.local";

export interface KeptDirectory {
  id: string;
  type: KeptType;
  description: string;
  /** Bytes of its files when it was last used. */
  size: number;
  /** Milliseconds since 1970. */
  created: number;
  used: number;
  uses: number;
  inUse: boolean;
}

export interface KeptHold extends Disposable {
  /** Where it is, or where the holder is to make it. */
  readonly path: string;
  /** Bytes of its files, for a holder that knows; else they are counted at the end. */
  size: number | undefined;
}

export interface KeptOptions {
  database: Database;
  /** This object's alone. */
  parent: string;
  /** Takes a directory away at once, and deletes it later. */
  discard(directory: string): void;
  /** Bytes of the files in a directory. */
  measure(directory: string): Promise<number>;
}

export class KeptDirectories {
  private readonly options: KeptOptions;
  /** Id → how many use it now. */
  private readonly users = new Map<string, number>();
  private readonly measuring = new Set<Promise<void>>();

  constructor(options: KeptOptions) {
    this.options = options;
  }

  isInUse(id: string): boolean {
    return this.users.has(id);
  }

  /** Nobody removes it before the hold on it is released. */
  use(id: string, { type, description }: Pick<KeptDirectory, "type" | "description">): KeptHold {
    const { database, parent } = this.options;
    mkdirSync(parent, { recursive: true, mode: 0o700 });
    this.users.set(id, (this.users.get(id) ?? 0) + 1);
    const now = Date.now();
    database.run(
      "INSERT INTO build_directories VALUES (?, ?, ?, 0, ?, ?, 0) ON CONFLICT (id) DO UPDATE SET used = excluded.used, uses = uses + 1",
      id,
      type,
      description,
      now,
      now,
    );
    const path = join(parent, id);
    const hold: KeptHold = { path, size: undefined, [Symbol.dispose]: () => this.release(id, hold) };
    return hold;
  }

  /** Least recently used first. */
  list(): KeptDirectory[] {
    return this.options.database
      .all<Omit<KeptDirectory, "inUse">>("SELECT * FROM build_directories ORDER BY used, created")
      .map((row) => ({ ...row, inUse: this.isInUse(row.id) }));
  }

  /** False for one that is in use. */
  remove(id: string): boolean {
    if (this.isInUse(id)) return false;
    const { database, parent, discard } = this.options;
    database.run("DELETE FROM build_directories WHERE id = ?", id);
    discard(join(parent, id));
    return true;
  }

  /** Call once, before the first use. */
  reconcile(): void {
    const { parent, discard } = this.options;
    const there = new Set(existsSync(parent) ? readdirSync(parent) : []);
    for (const { id } of this.list()) if (!there.delete(id)) this.remove(id);
    for (const stray of there) discard(join(parent, stray));
  }

  /** Resolves when all that was used has its size. */
  async settled(): Promise<void> {
    await Promise.all(this.measuring);
  }

  private release(id: string, { path, size }: KeptHold): void {
    const left = (this.users.get(id) ?? 1) - 1;
    if (left > 0) this.users.set(id, left);
    else this.users.delete(id);
    const measured = this.measure(id, path, size).finally(() => this.measuring.delete(measured));
    this.measuring.add(measured);
  }

  private async measure(id: string, path: string, known: number | undefined): Promise<void> {
    const { database, measure } = this.options;
    try {
      const size = known ?? (existsSync(path) ? await measure(path) : 0);
      database.run("UPDATE build_directories SET size = ? WHERE id = ?", size, id);
    } catch {
      // It was removed meanwhile, or the daemon ends: the size of before is near enough.
    }
  }
}
