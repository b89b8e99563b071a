import { afterEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database } from "../metadata/database.ts";
import { LocalContentStore } from "./local-content-store.ts";
import { contentStoreSuite } from "./store.suite.ts";

const roots: string[] = [];

function makeStore(): { root: string; store: LocalContentStore } {
  const root = mkdtempSync(join(tmpdir(), "gantry-content-"));
  roots.push(root);
  return { root, store: new LocalContentStore(root, new Database(":memory:")) };
}

afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true });
});

contentStoreSuite("LocalContentStore", async () => makeStore().store);

test("reconcile removes files without row, rows without file, and ingests of long ago", async () => {
  const { root, store } = makeStore();
  const kept = await store.put(new Uint8Array([1]), "t");
  const lost = await store.put(new Uint8Array([2]), "t");
  rmSync(store.pathOf(lost));
  const stray = join(root, "blobs", "sha256", "f".repeat(64));
  writeFileSync(stray, "cut short");
  mkdirSync(join(root, "ingest", "empty"), { recursive: true });
  const ingest = await store.ingest("old");
  await ingest.write(new Uint8Array([3]));
  await ingest.close();
  await store.reconcile();
  expect(store.list().map((blob) => blob.digest)).toEqual([kept]);
  expect(existsSync(stray)).toBe(false);
  expect(existsSync(join(root, "ingest", "empty"))).toBe(false);
  expect(await store.ingests()).toHaveLength(1);
  await store.reconcile(Date.now() + 30 * 24 * 3600 * 1000);
  expect(await store.ingests()).toEqual([]);
});

test("what a full disk took of a chunk is not in the way of the next", async () => {
  const root = mkdtempSync(join(tmpdir(), "gantry-content-"));
  roots.push(root);
  Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=64k", "gantry-test", root]);
  try {
    const store = new LocalContentStore(root, new Database(":memory:"));
    const ingest = await store.ingest("big");
    await ingest.write(Buffer.from("begun, "));
    await expect(ingest.write(new Uint8Array(256 << 10))).rejects.toThrow("ENOSPC");
    expect(ingest.offset).toBe(7);
    await ingest.write(Buffer.from("finished"));
    expect(Buffer.from(await ingest.read(0, 100)).toString()).toBe("begun, finished");
    await ingest.close();
    const again = await store.ingest("big");
    expect(again.offset).toBe(15);
    await again.close();
  } finally {
    Bun.spawnSync(["umount", "-l", root]);
  }
});

test("a digest that is a path does not leave the directory", () => {
  const { store } = makeStore();
  expect(() => store.read("sha256:../../etc/passwd")).toThrow("content sha256:../../etc/passwd: not found");
});
