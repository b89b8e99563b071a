/** The registry's database in PostgreSQL, for any number of processes at once. */
import { type ReservedSQL, SQL } from "bun";
import { errorCode, errorMessage, internal, unavailable } from "../../base/errors.ts";
import { KeyLocks } from "../../base/key-locks.ts";
import type { Answer, Database, Statement, Work } from "./database.ts";
import { postgresMigrations as migrations } from "./schema.ts";

const connections = 16;
/** Of their own: who holds a lock goes on to ask for a connection, so the two may not wait for each other. */
const lockConnections = 16;
const attempts = 8;
/** Serialisation failure and deadlock: PostgreSQL chose one of two transactions to be begun again. */
const againCodes = new Set(["40001", "40P01"]);
/** Any number: the key of the lock under which the schema is made. */
const schemaLock = 7_302_911;

type Connection = Pick<SQL, "unsafe">;

export class PostgresDatabase implements Database {
  readonly shared = true;
  private readonly sql: SQL;
  private readonly lockSql: SQL;
  private readonly locks = new KeyLocks();
  private readonly texts = new Map<string, string>();

  private constructor(url: string) {
    this.sql = new SQL(url, { max: connections });
    this.lockSql = new SQL(url, { max: lockConnections });
  }

  /** Connects, and makes or migrates the schema. Throws when that was done by a newer Gantry. */
  static async open(url: string): Promise<PostgresDatabase> {
    const database = new PostgresDatabase(url);
    try {
      await database.sql.begin((transaction) => migrate(transaction));
    } catch (error) {
      await database.close();
      throw failure(error);
    }
    return database;
  }

  run<T>(work: Work<T>): Promise<T> {
    return this.drive(this.sql, work);
  }

  async transaction<T>(work: () => Work<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return (await this.sql.begin((transaction) => this.drive(transaction, work()))) as T;
      } catch (error) {
        if (attempt >= attempts || !againCodes.has(sqlState(error))) throw failure(error);
        await Bun.sleep(Math.random() * 10 * attempt);
      }
    }
  }

  /** Each of PostgreSQL's transactions is on the disk when it is over. */
  durable<T>(work: () => Work<T>): Promise<T> {
    return this.transaction(work);
  }

  /** First among this process's own, so that those who wait here keep no connection busy. */
  lock<T>(key: string, work: () => Promise<T>): Promise<T> {
    return this.locks.run(key, async () => {
      const connection = await this.lockSql.reserve().catch((error) => {
        throw failure(error);
      });
      try {
        await this.advise(connection, "pg_advisory_lock", key);
        try {
          return await work();
        } finally {
          await this.advise(connection, "pg_advisory_unlock", key);
        }
      } finally {
        connection.release();
      }
    });
  }

  async close(): Promise<void> {
    await Promise.all([this.sql.close({ timeout: 1 }), this.lockSql.close({ timeout: 1 })]);
  }

  private async advise(connection: ReservedSQL, verb: string, key: string): Promise<void> {
    try {
      await connection.unsafe(`SELECT ${verb}(hashtextextended($1, 0))`, [key]);
    } catch (error) {
      throw failure(error);
    }
  }

  private async drive<T>(connection: Connection, work: Work<T>): Promise<T> {
    let step = work.next();
    while (!step.done) step = work.next(await this.answer(connection, step.value));
    return step.value;
  }

  private async answer(connection: Connection, { sql, values }: Statement): Promise<Answer> {
    try {
      const rows = await connection.unsafe(this.numbered(sql), values as unknown[]);
      return { rows: Array.from(rows as unknown[]), changes: rows.count ?? 0 };
    } catch (error) {
      throw failure(error);
    }
  }

  /** `?` → `$1`, `$2`… */
  private numbered(sql: string): string {
    let text = this.texts.get(sql);
    if (text === undefined) {
      let count = 0;
      text = sql.replaceAll("?", () => `$${++count}`);
      this.texts.set(sql, text);
    }
    return text;
  }
}

async function migrate(transaction: Connection): Promise<void> {
  await transaction.unsafe("SELECT pg_advisory_xact_lock($1)", [schemaLock]);
  await transaction.unsafe("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)");
  const version = (await transaction.unsafe("SELECT version FROM schema_version"))[0]?.version as number | undefined;
  if ((version ?? 0) > migrations.length) {
    throw internal(
      `the registry's database has schema ${version}, newer than this gantry's ${migrations.length}: use the newer gantry`,
    );
  }
  for (const sql of migrations.slice(version ?? 0)) await transaction.unsafe(sql);
  const write =
    version === undefined ? "INSERT INTO schema_version VALUES ($1)" : "UPDATE schema_version SET version = $1";
  await transaction.unsafe(write, [migrations.length]);
}

function sqlState(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const { errno } = (typeof cause === "object" && cause !== null ? cause : {}) as { errno?: unknown };
  return typeof errno === "string" ? errno : "";
}

/** What came between us and the server is `unavailable`, and so is its full disk: clients try again. */
function failure(error: unknown): unknown {
  const code = errorCode(error) ?? "";
  if (!code.startsWith("ERR_POSTGRES_")) return error;
  const state = sqlState(error);
  const passing = code !== "ERR_POSTGRES_SERVER_ERROR" || /^(53|57|08)/.test(state);
  if (passing) return unavailable(`database: ${errorMessage(error)}`, { cause: error });
  return internal(`database: ${errorMessage(error)}`, { cause: error });
}
