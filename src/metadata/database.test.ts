import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database, isUniqueViolation } from "./database.ts";

test("a transaction that throws leaves nothing", () => {
  using database = new Database(":memory:");
  expect(() =>
    database.transaction(() => {
      database.run("INSERT INTO settings VALUES ('a', '1')");
      throw new Error("stop");
    }),
  ).toThrow("stop");
  expect(database.all("SELECT * FROM settings")).toEqual([]);
});

test("content survives reopening, and a newer schema is refused", () => {
  const directory = mkdtempSync(join(tmpdir(), "gantry-metadata-"));
  using cleanup = new DisposableStack();
  cleanup.defer(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "sub", "metadata.db");
  {
    using database = new Database(path);
    database.run("INSERT INTO settings VALUES ('a', '1')");
  }
  {
    using database = new Database(path);
    expect(database.get("SELECT value FROM settings WHERE key = ?", "a")).toEqual({ value: "1" });
    database.run("PRAGMA user_version = 999");
  }
  expect(() => new Database(path)).toThrow(/newer/);
});

test("a second row with the same unique key is told apart from other failures", () => {
  using database = new Database(":memory:");
  const insert = () => database.run("INSERT INTO volumes VALUES ('v', '{}')");
  insert();
  let caught: unknown;
  try {
    insert();
  } catch (error) {
    caught = error;
  }
  expect(isUniqueViolation(caught)).toBe(true);
  expect(isUniqueViolation(new Error("other"))).toBe(false);
});
