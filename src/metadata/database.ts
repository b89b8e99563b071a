/** Opens and migrates the metadata database. Synchronous: each statement takes microseconds, so it may run on the event loop. */
import { Database as Sqlite } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { errorCode, internal } from "../base/errors.ts";
import { Reserve } from "./reserve.ts";
import { migrations } from "./schema.ts";

export type Row = Record<string, string | number | null>;
type Value = string | number | bigint | null | Uint8Array;

export class Database implements Disposable {
  private readonly sqlite: Sqlite;
  private readonly reserve: Reserve | undefined;
  private depth = 0;

  /** `:memory:` makes a database for tests. Throws when the file was written by a newer Gantry. */
  constructor(path: string) {
    if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.sqlite = new Sqlite(path, { create: true, strict: true });
    this.sqlite.run("PRAGMA journal_mode = WAL");
    this.sqlite.run("PRAGMA synchronous = NORMAL");
    this.sqlite.run("PRAGMA busy_timeout = 5000");
    this.reserve = path === ":memory:" ? undefined : new Reserve(`${path}.reserve`);
    this.migrate();
  }

  all<T = Row>(sql: string, ...values: Value[]): T[] {
    return this.sqlite.query<T, Value[]>(sql).all(...values);
  }

  get<T = Row>(sql: string, ...values: Value[]): T | undefined {
    return this.sqlite.query<T, Value[]>(sql).get(...values) ?? undefined;
  }

  /** Returns the number of rows changed. */
  run(sql: string, ...values: Value[]): number {
    return this.withRoom(() => this.sqlite.query(sql).run(...values).changes);
  }

  /**
   * Runs `work` in one transaction: all of it or, when it throws, none. Nests as savepoints. `work` must be synchronous, and may be run
   * twice on a full disk.
   */
  transaction<T>(work: () => T): T {
    return this.withRoom(() => this.sqlite.transaction(work)());
  }

  close(): void {
    this.sqlite.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** On a full disk, again with the space that was held back; as a whole, so that nothing is done by halves. */
  private withRoom<T>(work: () => T): T {
    this.depth++;
    try {
      const result = work();
      if (this.depth === 1) this.reserve?.restore();
      return result;
    } catch (error) {
      if (this.depth > 1 || !isFull(error) || !this.reserve?.release()) throw error;
      return work();
    } finally {
      this.depth--;
    }
  }

  private migrate(): void {
    const version = this.get<{ user_version: number }>("PRAGMA user_version")?.user_version ?? 0;
    if (version > migrations.length) {
      throw internal(
        `the metadata database has schema ${version}, newer than this gantry's ${migrations.length}: use the newer gantry`,
      );
    }
    for (const [index, sql] of migrations.entries()) {
      if (index < version) continue;
      this.transaction(() => {
        this.sqlite.run(sql);
        this.sqlite.run(`PRAGMA user_version = ${index + 1}`);
      });
    }
  }
}

/** SQLite says "disk I/O error" when it is the shared memory that finds no room. */
function isFull(error: unknown): boolean {
  return ["SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE"].includes(errorCode(error) ?? "");
}

/** True when a statement failed because a unique key exists already. */
export function isUniqueViolation(error: unknown): boolean {
  return error instanceof Error && /UNIQUE constraint failed/.test(error.message);
}
