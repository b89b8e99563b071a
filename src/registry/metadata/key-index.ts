/** The token server's keys and the refresh tokens it gave out, the latter as hashes only. */
import { type Awaitable, all, change, type Database, get } from "./database.ts";

export interface StoredKey {
  readonly id: string;
  /** A JWK as JSON. */
  readonly private: string;
  /** Milliseconds since the epoch. */
  readonly created: number;
}

export class KeyIndex {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  add({ id, private: key, created }: StoredKey): Awaitable<unknown> {
    return this.database.durable(() => change("INSERT INTO keys VALUES (?, ?, ?)", id, key, created));
  }

  newestFirst(): Awaitable<StoredKey[]> {
    return this.database.run(all<StoredKey>("SELECT id, private, created FROM keys ORDER BY created DESC, id"));
  }

  removeOlder(before: number): Awaitable<unknown> {
    return this.database.run(change("DELETE FROM keys WHERE created < ?", before));
  }

  addRefresh(hash: string, user: string, service: string): Awaitable<unknown> {
    return this.database.durable(() =>
      change("INSERT INTO refreshes VALUES (?, ?, ?, ?)", hash, user, service, Date.now()),
    );
  }

  /** Whose refresh token this is, unless it is older than `after`. */
  async refreshUser(hash: string, service: string, after: number): Promise<string | undefined> {
    const sql = `SELECT "user" FROM refreshes WHERE hash = ? AND service = ? AND created >= ?`;
    return (await this.database.run(get<{ user: string }>(sql, hash, service, after)))?.user;
  }

  removeRefreshes(before: number): Awaitable<unknown> {
    return this.database.run(change("DELETE FROM refreshes WHERE created < ?", before));
  }
}
