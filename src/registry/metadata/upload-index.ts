/**
 * Uploads that are under way: which repository each belongs to, so that they can be resumed after a restart, and which of several
 * instances writes to it now.
 */
import { type Awaitable, all, change, type Database, get } from "./database.ts";

const holdMillis = 15_000;

interface Row {
  readonly holder: string | null;
  readonly heldUntil: number;
}

export class UploadIndex {
  private readonly database: Database;
  /** This process, among those that share the database. */
  private readonly instance = crypto.randomUUID();

  constructor(database: Database) {
    this.database = database;
  }

  add(id: string, repository: string): Awaitable<unknown> {
    return this.database.run(
      change(
        "INSERT INTO uploads (id, repository, touched, holder) VALUES (?, ?, ?, ?)",
        ...[id, repository, Date.now(), this.instance],
      ),
    );
  }

  async has(id: string, repository: string): Promise<boolean> {
    return (
      (await this.database.run(get("SELECT 1 FROM uploads WHERE id = ? AND repository = ?", id, repository))) !==
      undefined
    );
  }

  /**
   * Makes this instance the upload's only writer for a while; to be renewed by `touch`. `same`: it was the last writer too. `held`: another
   * instance is writing.
   */
  claim(id: string, repository: string): Awaitable<"same" | "other" | "held" | undefined> {
    const { instance } = this;
    const now = Date.now();
    return this.database.transaction(function* () {
      const row = yield* get<Row>(
        `SELECT holder, held_until AS "heldUntil" FROM uploads WHERE id = ? AND repository = ?`,
        ...[id, repository],
      );
      if (!row) return undefined;
      if (row.holder !== instance && row.heldUntil > now) return "held" as const;
      const mine = yield* change(
        "UPDATE uploads SET holder = ?, held_until = ?, touched = ? WHERE id = ? AND held_until = ?",
        ...[instance, now + holdMillis, now, id, row.heldUntil],
      );
      if (mine === 0) return "held" as const;
      return row.holder === instance ? ("same" as const) : ("other" as const);
    });
  }

  /** Ends a claim. */
  release(id: string): Awaitable<unknown> {
    return this.database.run(
      change("UPDATE uploads SET held_until = 0 WHERE id = ? AND holder = ?", id, this.instance),
    );
  }

  /** Tells that the upload is in use; renews this instance's claim, if it has one. */
  touch(id: string): Awaitable<unknown> {
    const now = Date.now();
    if (!this.database.shared) return this.database.run(change("UPDATE uploads SET touched = ? WHERE id = ?", now, id));
    // One that comes behind `release`, by another connection, must not take the upload again.
    const sql = "UPDATE uploads SET touched = ?, held_until = ? WHERE id = ? AND holder = ? AND held_until > 0";
    return this.database.run(change(sql, now, now + holdMillis, id, this.instance));
  }

  remove(id: string): Awaitable<unknown> {
    return this.database.run(change("DELETE FROM uploads WHERE id = ?", id));
  }

  /** Uploads that nobody holds and that were not touched since `before` (ms since the epoch). */
  async stale(before: number): Promise<string[]> {
    const rows = await this.database.run(
      all<{ id: string }>("SELECT id FROM uploads WHERE touched < ? AND held_until < ?", before, Date.now()),
    );
    return rows.map((row) => row.id);
  }

  async isKnown(id: string): Promise<boolean> {
    return (await this.database.run(get("SELECT 1 FROM uploads WHERE id = ?", id))) !== undefined;
  }
}
