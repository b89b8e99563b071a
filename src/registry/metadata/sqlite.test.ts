import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { metadataSuite } from "./metadata.suite.ts";
import { sqliteMigrations } from "./schema.ts";
import { SqliteDatabase } from "./sqlite.ts";

metadataSuite("SQLite", async () => new SqliteDatabase(":memory:"));

test("an older schema is migrated with what it holds; a newer one is refused", () => {
  const directory = mkdtempSync(join(tmpdir(), "gantry-registry-sqlite-"));
  try {
    const path = join(directory, "registry.db");
    const old = new Database(path, { create: true });
    old.run(sqliteMigrations[0] as string);
    old.run("INSERT INTO uploads VALUES ('u', 'r', 1)");
    old.run("PRAGMA user_version = 1");
    old.close();
    new SqliteDatabase(path).close();
    const migrated = new Database(path);
    expect(migrated.query("SELECT id, holder, held_until FROM uploads").all()).toEqual([
      { id: "u", holder: null, held_until: 0 },
    ]);
    migrated.run("PRAGMA user_version = 99");
    migrated.close();
    expect(() => new SqliteDatabase(path)).toThrow("has schema 99, newer than this gantry's");
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
