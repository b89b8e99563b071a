/** Opens and migrates the registry's database. Synchronous: each statement takes microseconds, so it may run on the event loop. */
import { Database as Sqlite } from "bun:sqlite";
import { internal } from "../../base/errors.ts";
import { migrations } from "./schema.ts";

type Value = string | number | null | Uint8Array;

export class RegistryDatabase implements Disposable {
  private readonly sqlite: Sqlite;

  /** `:memory:` makes a database for tests. Throws when the file was written by a newer Gantry. */
  constructor(path: string) {
    this.sqlite = new Sqlite(path, { create: true, strict: true });
    this.sqlite.run("PRAGMA journal_mode = WAL");
    this.sqlite.run("PRAGMA synchronous = NORMAL");
    this.sqlite.run("PRAGMA busy_timeout = 5000");
    this.migrate();
  }

  all<T>(sql: string, ...values: Value[]): T[] {
    return this.sqlite.query<T, Value[]>(sql).all(...values);
  }

  get<T>(sql: string, ...values: Value[]): T | undefined {
    return this.sqlite.query<T, Value[]>(sql).get(...values) ?? undefined;
  }

  /** Returns the number of rows changed. */
  run(sql: string, ...values: Value[]): number {
    return this.sqlite.query(sql).run(...values).changes;
  }

  /** Runs `work`, which must be synchronous, in one transaction: all of it or, when it throws, none. */
  transaction<T>(work: () => T): T {
    return this.sqlite.transaction(work).immediate();
  }

  /**
   * A transaction that is on the disk when it returns, and with it all earlier ones: what a client is told after this survives a power
   * failure. The others survive only the death of the process, which is enough for what is worthless without a manifest.
   */
  durable<T>(work: () => T): T {
    this.sqlite.run("PRAGMA synchronous = FULL");
    try {
      return this.transaction(work);
    } finally {
      this.sqlite.run("PRAGMA synchronous = NORMAL");
    }
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
        `the registry's database has schema ${version}, newer than this gantry's ${migrations.length}: use the newer gantry`,
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
