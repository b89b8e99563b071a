import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { conflict } from "../../base/errors.ts";
import type { Database } from "../../metadata/database.ts";
import { VolumeData } from "./data.ts";
import { ScratchVolumes } from "./scratch-volumes.ts";
import { SnapshotStore } from "./snapshots/snapshot-store.ts";
import { VolumeSnapshots } from "./snapshots/snapshots.ts";
import type { VolumeStore } from "./volume-store.ts";

let scratch: ScratchVolumes;
let database: Database;
let store: VolumeStore;
let data: VolumeData;
let busy: string[];

beforeEach(() => {
  scratch = new ScratchVolumes();
  ({ database } = scratch);
  ({ store } = scratch.volumes);
  busy = [];
  data = new VolumeData(scratch.volumes, {
    whileStill: (_volume, work) => work(),
    whileIdle: async (volume, work) => {
      if (busy.includes(volume)) throw conflict("in use");
      return work();
    },
  });
});

afterEach(() => scratch[Symbol.dispose]());

const fill = (text: string) => async (path: string) => writeFileSync(join(path, "f"), text);
const read = (name: string) => readFileSync(join(store.dataPath(name), "f"), "utf8");
const place = (name: string, text: string, replace = false) => data.place(name, { replace, labels: null }, fill(text));
const entries = () => readdirSync(store.root).sort();

test("data becomes a new volume's, or takes the place of a volume's own if that is asked for", async () => {
  await place("new", "one");
  expect(read("new")).toBe("one");
  expect(place("new", "two")).rejects.toThrow("volume new holds data already");
  await place("new", "two", true);
  expect(read("new")).toBe("two");
  store.create({ name: "empty" });
  await place("empty", "three");
  expect(read("empty")).toBe("three");
  expect(entries()).toEqual(["empty", "new"]);
});

test("a failure on the way, a volume in use, a name that cannot be: all is as it was", async () => {
  await place("data", "one");
  const failing = data.place("data", { replace: true }, async () => {
    throw new Error("disk is full");
  });
  await expect(failing).rejects.toThrow("disk is full");
  busy.push("data");
  await expect(place("data", "two", true)).rejects.toThrow("in use");
  await expect(place("../data", "two")).rejects.toThrow("invalid characters for a local volume name");
  mkdirSync(join(store.root, "foreign/_data"), { recursive: true });
  writeFileSync(join(store.root, "foreign/_data/f"), "somebody's");
  await expect(place("foreign", "two")).rejects.toThrow("holds data that no volume knows");
  expect(read("data")).toBe("one");
  expect(entries()).toEqual(["data", "foreign"]);
  expect(store.list().map(({ name }) => name)).toEqual(["data"]);
});

test("the data of a volume that lies elsewhere is not replaced, and nobody looks for it here", async () => {
  store.addForeign({ name: "foreign", driver: "plugin", labels: null, createdAt: "" });
  store.create({ name: "mounted", options: { type: "tmpfs", device: "tmpfs" } });
  for (const name of ["foreign", "mounted"]) {
    await expect(place(name, "one")).rejects.toThrow(`the data of volume ${name} is not in the engine's own directory`);
  }
});

test("start-up finishes a volume that had its record but not yet its name, and clears what had none", async () => {
  await place("named", "one");
  const staged = store.stage();
  writeFileSync(join(staged.path, "f"), "two");
  const record = store.adopt({ name: "cut" }, staged);
  // As the daemon was killed between the record and the rename.
  renameSync(join(store.root, "cut"), join(store.root, staged.entry));
  const doc = JSON.stringify({ ...record, staged: staged.entry });
  database.run("UPDATE volumes SET doc = ? WHERE name = 'cut'", doc);
  writeFileSync(join(store.stage().path, "f"), "never whole");
  await store.recover();
  expect(read("cut")).toBe("two");
  expect(store.get("cut")).toEqual(record);
  expect(entries()).toEqual(["cut", "named"]);
  await store.recover();
  expect(read("cut")).toBe("two");
});

test("of snapshots, start-up clears what has no record", async () => {
  const snapshots = new SnapshotStore(database, join(scratch.directory, "snapshots"));
  const { signal } = new AbortController();
  await place("data", "one");
  const all = new VolumeSnapshots(snapshots, data);
  await all.create("data", { Name: "whole" }, signal);
  await all.create("data", { Name: "gone" }, signal);
  const half = snapshots.makeDirectory();
  database.run("DELETE FROM volume_snapshots WHERE name = 'gone'");
  await snapshots.recover();
  expect(existsSync(half.path)).toBe(false);
  expect(readdirSync(join(scratch.directory, "snapshots"))).toEqual([snapshots.get("whole").id]);
  await expect(all.create("data", { Name: "whole" }, signal)).rejects.toThrow("a snapshot whole exists already");
  await all.restore("whole", "other", { replace: false }, signal);
  expect(read("other")).toBe("one");
});
