/** Tags and repositories. Pages are in the order of the bytes of names, as the specification wants tags. */
import type { Digest } from "../../oci/digest.ts";
import { type Awaitable, all, change, type Database, get } from "./database.ts";
import type { Page } from "./manifest-index.ts";

export interface Tag {
  readonly name: string;
  readonly digest: Digest;
  /** Milliseconds since the epoch. */
  readonly updated: number;
}

const pageSize = 500;

export class TagIndex {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  find(repository: string, tag: string): Awaitable<Tag | undefined> {
    const sql = "SELECT name, digest, updated FROM tags WHERE repository = ? AND name = ?";
    return this.database.run(get<Tag>(sql, repository, tag));
  }

  /** Tells that a tag is still what it was; nothing when it is gone. */
  touch(repository: string, tag: string): Awaitable<unknown> {
    const sql = "UPDATE tags SET updated = ? WHERE repository = ? AND name = ?";
    return this.database.run(change(sql, Date.now(), repository, tag));
  }

  /** Removes a tag only; false when there is none, or when it was set after `notAfter`. On disk when it is over. */
  delete(repository: string, tag: string, notAfter = Number.MAX_SAFE_INTEGER): Awaitable<boolean> {
    return this.database.durable(function* () {
      const sql = "DELETE FROM tags WHERE repository = ? AND name = ? AND updated <= ?";
      return (yield* change(sql, repository, tag, notAfter)) > 0;
    });
  }

  async list(repository: string, page: Page): Promise<string[]> {
    const sql = "SELECT name FROM tags WHERE repository = ? AND name > ? ORDER BY name LIMIT ?";
    const rows = await this.database.run(all<{ name: string }>(sql, repository, page.after, page.limit));
    return rows.map((row) => row.name);
  }

  /** All tags of a repository, the newest first. */
  async newest(repository: string): Promise<Tag[]> {
    const sql = "SELECT name, digest, updated FROM tags WHERE repository = ? ORDER BY updated DESC, name DESC";
    return this.database.run(all<Tag>(sql, repository));
  }

  /** Repositories that hold a manifest. */
  async repositories(page: Page): Promise<string[]> {
    const rows = await this.database.run(
      all<{ repository: string }>(
        "SELECT DISTINCT repository FROM manifests WHERE repository > ? ORDER BY repository LIMIT ?",
        ...[page.after, page.limit],
      ),
    );
    return rows.map((row) => row.repository);
  }

  /** All of them behind `after`, page by page. */
  async *allRepositories(after = ""): AsyncGenerator<string> {
    for (let last: string | undefined = after; last !== undefined; ) {
      const page: string[] = await this.repositories({ limit: pageSize, after: last });
      yield* page;
      last = page.at(-1);
    }
  }

  /** Whether anything was ever pushed to the repository and is still there. */
  async isKnown(repository: string): Promise<boolean> {
    const row = await this.database.run(
      get(
        `SELECT 1 WHERE EXISTS (SELECT 1 FROM manifests WHERE repository = ?)
           OR EXISTS (SELECT 1 FROM links WHERE repository = ?)`,
        ...[repository, repository],
      ),
    );
    return row !== undefined;
  }
}
