import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mount, unmountIfMounted } from "../linux/mounts/mount.ts";
import { Database } from "./database.ts";

const directory = mkdtempSync(join(tmpdir(), "gantry-full-"));
mount({ source: "gantry-full", target: directory, type: "tmpfs", data: "size=24m" });
afterAll(() => {
  unmountIfMounted(directory, { detach: true });
  rmSync(directory, { recursive: true });
});

test("on a full disk the database takes what it must, from space that it held back", () => {
  using database = new Database(join(directory, "metadata.db"));
  expect(readdirSync(directory)).toContain("metadata.db.reserve");
  expect(() => writeFileSync(join(directory, "big"), Buffer.alloc(32 << 20))).toThrow("ENOSPC");
  const value = "x".repeat(10_000);
  for (let n = 0; n < 20; n++) database.run("INSERT INTO settings VALUES (?, ?)", `single${n}`, value);
  database.transaction(() => {
    for (let n = 0; n < 20; n++) database.run("INSERT INTO settings VALUES (?, ?)", `many${n}`, value);
  });
  expect(database.all("SELECT key FROM settings")).toHaveLength(40);
  expect(readdirSync(directory)).not.toContain("metadata.db.reserve");
  // Without limit it is not: what is in the database stays sound.
  const fill = () => {
    for (let n = 0; ; n++) database.run("INSERT INTO settings VALUES (?, ?)", `fill${n}`, value);
  };
  expect(fill).toThrow("full");
  expect(database.get("PRAGMA integrity_check")).toEqual({ integrity_check: "ok" });
});
