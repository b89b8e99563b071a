import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database } from "../../metadata/database.ts";
import { KeptDirectories } from "./kept-directories.ts";

const root = mkdtempSync(join(tmpdir(), "gantry-kept-"));
afterAll(() => rmSync(root, { recursive: true }));
const cache = { type: "exec.cachemount", description: "x" } as const;

function kept(database: Database, parent: string): KeptDirectories {
  const discard = (directory: string) => rmSync(directory, { recursive: true, force: true });
  return new KeptDirectories({ database, parent: join(root, parent), discard, measure: async () => 42 });
}

test("a directory stays, counts its uses and has a size; in use, it cannot be removed", async () => {
  using database = new Database(":memory:");
  const directories = kept(database, "a");
  {
    using hold = directories.use("one", cache);
    mkdirSync(hold.path);
    expect(directories.remove("one")).toBe(false);
    expect(directories.list().map(({ inUse, uses }) => [inUse, uses])).toEqual([[true, 0]]);
    using other = directories.use("one", cache);
    expect(other.path).toBe(hold.path);
  }
  await directories.settled();
  expect(directories.list().map(({ inUse, uses, size }) => [inUse, uses, size])).toEqual([[false, 1, 42]]);
  {
    using hold = directories.use("one", cache);
    hold.size = 7;
  }
  await directories.settled();
  expect(directories.list()[0]?.size).toBe(7);
  expect(directories.remove("one")).toBe(true);
  expect(directories.list()).toEqual([]);
  expect(existsSync(join(root, "a/one"))).toBe(false);
});

test("after a crash there is no row without a directory, and no directory without a row", () => {
  using database = new Database(":memory:");
  const before = kept(database, "b");
  before.use("never-made", cache);
  mkdirSync(before.use("whole", cache).path);
  mkdirSync(join(root, "b/stray"));
  const after = kept(database, "b");
  after.reconcile();
  expect(after.list().map(({ id }) => id)).toEqual(["whole"]);
  expect(existsSync(join(root, "b/stray"))).toBe(false);
});
