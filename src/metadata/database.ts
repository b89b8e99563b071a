/** Opens and migrates the metadata database. Synchronous: each statement takes microseconds, so it may run on the event loop. */
import { Database as Sqlite } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { internal } from "../base/errors.ts";
import { migrations } from "./schema.ts";

export type Row = Record<string, string | number | null>;
type Value = string | number | bigint | null;

export class Database implements Disposable {
  private readonly sqlite: Sqlite;

  /** `:memory:` makes a database for tests. Throws when the file was written by a newer Gantry. */
  constructor(path: string) {
    if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.sqlite = new Sqlite(path, { create: true, strict: true });
    this.sqlite.run("PRAGMA journal_mode = WAL");
    this.sqlite.run("PRAGMA synchronous = NORMAL");
    this.sqlite.run("PRAGMA busy_timeout = 5000");
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
    return this.sqlite.query(sql).run(...values).changes;
  }

  /** Runs `work` in one transaction: all of it or, when it throws, none. Nests as savepoints. `work` must be synchronous. */
  transaction<T>(work: () => T): T {
    return this.sqlite.transaction(work)();
  }

  close(): void {
    this.sqlite.close();
  }

  [Symbol.dispose](): void {
    this.close();
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

/** True when a statement failed because a unique key exists already. */
export function isUniqueViolation(error: unknown): boolean {
  return error instanceof Error && /UNIQUE constraint failed/.test(error.message);
}
