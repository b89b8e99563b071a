import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorKind } from "../../base/errors.ts";
import { ScratchVolumes } from "./scratch-volumes.ts";
import type { VolumeEvent, Volumes } from "./volumes.ts";

let scratch: ScratchVolumes;
let volumes: Volumes;
let events: VolumeEvent[];
let users: Map<string, string[]>;

beforeEach(() => {
  scratch = new ScratchVolumes();
  ({ volumes, events, users } = scratch);
});

afterEach(() => scratch[Symbol.dispose]());

const message = async (work: Promise<unknown>) => {
  try {
    await work;
  } catch (error) {
    return [errorKind(error), (error as Error).message];
  }
  return undefined;
};

test("a volume is made once, shown as dockerd shows it, and removed with its data", async () => {
  const made = await volumes.create({ Name: "data", Labels: { a: "b" } });
  expect(made).toEqual({
    CreatedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    Driver: "local",
    Labels: { a: "b" },
    Mountpoint: join(scratch.dataRoot, "volumes/data/_data"),
    Name: "data",
    Options: null,
    Scope: "local",
  });
  writeFileSync(join(made.Mountpoint, "file"), "x");
  expect(await volumes.create({ Name: "data", Labels: { a: "z" } })).toEqual(made);
  await volumes.remove("data", { force: false });
  expect(readdirSync(join(scratch.dataRoot, "volumes"))).toEqual([]);
  expect(events.map(({ action, id }) => `${action} ${id}`)).toEqual(["create data", "destroy data"]);
});

test("of two that remove a volume at once, one finds none any more", async () => {
  await volumes.create({ Name: "data" });
  const remove = () => message(volumes.remove("data", { force: false }));
  expect(await Promise.all([remove(), remove()])).toEqual([undefined, ["not-found", "get data: no such volume"]]);
  expect(events.map(({ action }) => action)).toEqual(["create", "destroy"]);
});

test("messages are dockerd's", async () => {
  await volumes.create({ Name: "used" });
  users.set("used", ["c1", "c2"]);
  expect(await message(volumes.create({ Name: "a" }))).toEqual([
    "invalid-argument",
    "create a: volume name is too short, names should be at least two alphanumeric characters",
  ]);
  expect(await message(volumes.create({ Name: "a b" }))).toEqual([
    "invalid-argument",
    'create a b: "a b" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
  ]);
  expect(await message(volumes.create({ Name: "aa", Driver: "nope" }))).toEqual([
    "not-found",
    'create aa: error looking up volume plugin nope: plugin "nope" not found',
  ]);
  expect(await message(volumes.create({ Name: "aa", DriverOpts: { bogus: "1" } }))).toEqual([
    "invalid-argument",
    'create aa: invalid option: "bogus"',
  ]);
  for (const [DriverOpts, reason] of [
    [{ type: "nfs" }, 'missing required option: "device"'],
    [{ o: "ro", device: "x" }, 'missing required option: "type"'],
    [{ size: "banana" }, "invalid size: 'banana'"],
    [{ size: "1m" }, "quota size requested but no quota support"],
    [{ type: "none", o: "bind", device: "/a\0b" }, 'invalid option: "device" holds a NUL byte'],
    [{ type: "t".repeat(2 << 20), device: "d" }, "labels and options are larger than 1048576 bytes together"],
    [JSON.parse('{"__proto__":"x"}'), 'invalid option: "__proto__"'],
  ] as const) {
    expect(await message(volumes.create({ Name: "aa", DriverOpts }))).toEqual([
      "invalid-argument",
      `create aa: ${reason}`,
    ]);
  }
  expect(await message(volumes.inspect("nope"))).toEqual(["not-found", "get nope: no such volume"]);
  expect(await message(volumes.remove("nope", { force: false }))).toEqual(["not-found", "get nope: no such volume"]);
  expect(await message(volumes.remove("nope", { force: true }))).toBeUndefined();
  const inUse = ["conflict", "remove used: volume is in use - [c1, c2]"];
  expect(await message(volumes.remove("used", { force: true }))).toEqual(inUse);
});

test("filters select, and those that are wrong are named", async () => {
  await volumes.create({ Name: "lab", Labels: { a: "b" } });
  await volumes.create({ Name: "used" });
  users.set("used", ["c1"]);
  const list = async (filters: Record<string, string[]>) => (await volumes.list(filters)).Volumes?.map((v) => v.Name);
  expect(await list({})).toEqual(["lab", "used"]);
  expect(await list({ name: ["^la"] })).toEqual(["lab"]);
  expect(await list({ label: ["a=b"] })).toEqual(["lab"]);
  expect(await list({ label: ["a=c"] })).toEqual([]);
  expect(await list({ dangling: ["true"] })).toEqual(["lab"]);
  expect(await list({ dangling: ["0"] })).toEqual(["used"]);
  expect(await list({ driver: ["other"] })).toEqual([]);
  expect(await message(volumes.list({ dangling: ["x"] }))).toEqual([
    "invalid-argument",
    "invalid filter 'dangling=[x]'",
  ]);
  expect(await message(volumes.list({ bogus: ["x"] }))).toEqual(["invalid-argument", "invalid filter 'bogus'"]);
});

test("prune takes anonymous volumes that nobody uses, with all every such volume", async () => {
  const anonymous = await volumes.create({});
  const busy = await volumes.create({});
  await volumes.create({ Name: "named" });
  users.set(busy.Name, ["c1"]);
  writeFileSync(join(anonymous.Mountpoint, "file"), "12345");
  expect(anonymous.Labels).toEqual({ "com.docker.volume.anonymous": "" });
  expect(await volumes.prune({})).toEqual({ VolumesDeleted: [anonymous.Name], SpaceReclaimed: 5 });
  expect(await volumes.prune({ all: ["true"], "label!": ["x"] })).toEqual({
    VolumesDeleted: ["named"],
    SpaceReclaimed: 0,
  });
  expect(events.at(-1)).toEqual({ type: "volume", action: "prune", id: "", attributes: { reclaimed: "0" } });
  expect((await message(volumes.prune({ all: ["x"] })))?.[1]).toBe(
    `invalid filter 'all': strconv.ParseBool: parsing "x": invalid syntax`,
  );
  expect((await message(volumes.prune({ until: ["5m"] })))?.[1]).toBe("invalid filter 'until'");
});

test("what a crash left is put right: half removed goes, half made goes, foreign data stays", async () => {
  const root = join(scratch.dataRoot, "volumes");
  await volumes.create({ Name: "kept" });
  rmSync(join(root, "kept"), { recursive: true });
  mkdirSync(join(root, ".removed-1/_data/deep"), { recursive: true });
  mkdirSync(join(root, "halfmade/_data"), { recursive: true });
  mkdirSync(join(root, "foreign/_data/deep"), { recursive: true });
  await volumes.store.recover();
  expect(readdirSync(root).sort()).toEqual(["foreign", "kept"]);
  expect(existsSync(join(root, "kept/_data"))).toBe(true);
});
