import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { VolumeData } from "../data.ts";
import { ScratchVolumes } from "../scratch-volumes.ts";
import { SnapshotStore } from "../snapshots/snapshot-store.ts";
import { VolumeSnapshots } from "../snapshots/snapshots.ts";
import { VolumeArchives } from "../transfer/archives.ts";
import { BackupStore } from "./backup-store.ts";
import { VolumeBackups } from "./backups.ts";

let scratch: ScratchVolumes;
let backups: VolumeBackups;
let said: string[];

beforeEach(() => {
  scratch = new ScratchVolumes();
  const { volumes, database, directory } = scratch;
  const data = new VolumeData(volumes, { whileStill: (_, work) => work(), whileIdle: (_, work) => work() });
  const snapshots = new VolumeSnapshots(new SnapshotStore(database, join(directory, "snapshots")), data);
  said = [];
  backups = new VolumeBackups({
    ...{ store: new BackupStore(database), volumes, snapshots, archives: new VolumeArchives(snapshots, data) },
    log: { error: (message) => void said.push(message) },
  });
});

afterEach(async () => {
  await backups.close();
  scratch[Symbol.dispose]();
});

test("what keeps a run from beginning is told of as its failure", async () => {
  const Directory = join(scratch.directory, "to");
  // What is to be tidied up, and cannot be.
  mkdirSync(join(Directory, ".b-20260101T000000Z.tar.gz.part/in-the-way"), { recursive: true });
  await scratch.volumes.create({ Name: "data" });
  await backups.create({ Name: "b", Volume: "data", Schedule: "@yearly", Directory });
  await expect(backups.run("b")).rejects.toThrow("b-20260101T000000Z.tar.gz.part");
  const { LastRun, LastError, Backups } = await backups.inspect("b");
  expect(LastRun).not.toBe("");
  expect(LastError).toContain("b-20260101T000000Z.tar.gz.part");
  expect(Backups).toEqual([]);
});

test("a run that is due and cannot be written down is not tried again before the next is due", async () => {
  const doc = { name: "b", volume: "v", schedule: "@yearly", keep: 1, directory: "", backups: [] };
  const times = { createdAt: 1, lastRun: 0, lastError: "" };
  scratch.database.run("INSERT INTO volume_backups VALUES (?, ?)", "b", JSON.stringify({ ...doc, ...times }));
  scratch.database.run("CREATE TRIGGER full BEFORE UPDATE ON volume_backups BEGIN SELECT RAISE(ABORT, 'full'); END");
  backups.start();
  while (said.length === 0) await Bun.sleep(1);
  await Bun.sleep(50);
  expect(said).toEqual(["a scheduled volume backup failed"]);
});
