import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Work } from "./database.ts";
import { ManifestIndex } from "./manifest-index.ts";
import { metadataSuite } from "./metadata.suite.ts";
import { sqliteMigrations } from "./schema.ts";
import { SqliteDatabase } from "./sqlite.ts";

metadataSuite("SQLite", async () => new SqliteDatabase(":memory:"));

class WatchedDatabase extends SqliteDatabase {
  readonly statements = new Set<string>();

  override run<T>(work: Work<T>): T {
    return super.run(this.watch(work));
  }

  private *watch<T>(work: Work<T>): Work<T> {
    let step = work.next();
    while (!step.done) {
      this.statements.add(step.value.sql);
      step = work.next(yield step.value);
    }
    return step.value;
  }
}

test("a collection prepares the statements of the one before", async () => {
  const database = new WatchedDatabase(":memory:");
  const manifests = new ManifestIndex(database, 0);
  const sizes: number[] = [];
  for (const round of [1, 2, 3]) {
    const manifest = { digest: `sha256:${round}`, mediaType: "t", content: new Uint8Array(1), artifactType: "" };
    await manifests.put("r", { ...manifest, blobs: [], manifests: [] }, { tags: [], isImmutable: () => false });
    expect(await manifests.collectUntagged(Date.now() + 1000 * round, () => true)).toBe(1);
    sizes.push(database.statements.size);
  }
  expect(new Set(sizes).size).toBe(1);
  database.close();
});

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
