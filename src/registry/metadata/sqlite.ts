/** The registry's database in one file, for one process. Each statement takes microseconds, so it may run on the event loop. */
import { type SQLQueryBindings, Database as Sqlite, type Statement as SqliteStatement } from "bun:sqlite";
import { internal } from "../../base/errors.ts";
import { KeyLocks } from "../../base/key-locks.ts";
import type { Answer, Database, Statement, Work } from "./database.ts";
import { sqliteMigrations as migrations } from "./schema.ts";

export class SqliteDatabase implements Database {
  readonly shared = false;
  private readonly sqlite: Sqlite;
  private readonly locks = new KeyLocks();
  private readonly prepared = new Map<string, { statement: SqliteStatement; reads: boolean }>();

  /** `:memory:` makes a database for tests. Throws when the file was written by a newer Gantry. */
  constructor(path: string) {
    this.sqlite = new Sqlite(path, { create: true, strict: true });
    this.sqlite.run("PRAGMA journal_mode = WAL");
    this.sqlite.run("PRAGMA synchronous = NORMAL");
    this.sqlite.run("PRAGMA busy_timeout = 5000");
    this.migrate();
  }

  run<T>(work: Work<T>): T {
    let step = work.next();
    while (!step.done) step = work.next(this.answer(step.value));
    return step.value;
  }

  transaction<T>(work: () => Work<T>): T {
    return this.sqlite.transaction(() => this.run(work())).immediate();
  }

  durable<T>(work: () => Work<T>): T {
    this.sqlite.run("PRAGMA synchronous = FULL");
    try {
      return this.transaction(work);
    } finally {
      this.sqlite.run("PRAGMA synchronous = NORMAL");
    }
  }

  lock<T>(key: string, work: () => Promise<T>): Promise<T> {
    return this.locks.run(key, work);
  }

  close(): void {
    for (const { statement } of this.prepared.values()) statement.finalize();
    this.sqlite.close();
  }

  private answer({ sql, values }: Statement): Answer {
    let entry = this.prepared.get(sql);
    if (!entry) {
      const statement = this.sqlite.prepare(sql);
      entry = { statement, reads: statement.columnNames.length > 0 };
      this.prepared.set(sql, entry);
    }
    const bound = values as SQLQueryBindings[];
    if (!entry.reads) return { rows: [], changes: entry.statement.run(...bound).changes };
    const rows = entry.statement.all(...bound);
    return { rows, changes: rows.length };
  }

  private migrate(): void {
    const { user_version: version } = this.sqlite.query("PRAGMA user_version").get() as { user_version: number };
    if (version > migrations.length) {
      throw internal(
        `the registry's database has schema ${version}, newer than this gantry's ${migrations.length}: use the newer gantry`,
      );
    }
    for (const [index, sql] of migrations.entries()) {
      if (index < version) continue;
      this.sqlite.transaction(() => {
        this.sqlite.run(sql);
        this.sqlite.run(`PRAGMA user_version = ${index + 1}`);
      })();
    }
  }
}
