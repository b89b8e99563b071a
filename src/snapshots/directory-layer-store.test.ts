import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeArchive, streamOf, type TestEntry } from "../archive/tar/test-archive.ts";
import { errorKind } from "../base/errors.ts";
import { Logger } from "../base/log.ts";
import { collect } from "../base/streams.ts";
import { getXattr, lstat } from "../linux/files.ts";
import { Database } from "../metadata/database.ts";
import { DirectoryLayerStore } from "./directory-layer-store.ts";
import { Trash } from "./trash.ts";

// Each step starts processes, which on a busy machine takes its time.
setDefaultTimeout(60_000);

let root: string;
let database: Database;
let store: DirectoryLayerStore;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "gantry-layers-"));
  database = new Database(":memory:");
  store = new DirectoryLayerStore(root, database, new Trash(join(root, "trash"), new Logger()));
  await store.reconcile();
});
afterAll(async () => {
  await store.close();
  rmSync(root, { recursive: true });
});

const digestOf = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** Unpacks, checks that the archive comes back byte by byte, and returns the tree's path. */
async function unpack(entries: TestEntry[], trailer?: number): Promise<string> {
  const archive = makeArchive(entries, trailer);
  const layer = await store.unpack(streamOf(archive));
  expect(layer.diffId).toBe(digestOf(archive));
  expect(store.tarSize(layer.diffId)).toBe(archive.length);
  expect(digestOf(await collect(store.openTar(layer.diffId)))).toBe(layer.diffId);
  return store.path(layer.diffId);
}

async function failure(work: Promise<unknown>): Promise<{ kind: string; message: string }> {
  try {
    await work;
  } catch (error) {
    return { kind: errorKind(error), message: (error as Error).message };
  }
  throw new Error("did not fail");
}

test("every kind of file keeps its owner, mode, times and attributes", async () => {
  const tree = await unpack([
    { name: "./", mode: 0o700 },
    { name: "d/", mode: 0o3755, uid: 5, gid: 6, mtime: 1000 },
    {
      name: "d/suid",
      mode: 0o4755,
      uid: 7,
      gid: 8,
      content: "x",
      pax: [
        ["mtime", "1234567890.123456789"],
        ["SCHILY.xattr.security.capability", "\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0"],
        ["SCHILY.xattr.trusted.overlay.redirect", "/etc"],
      ],
    },
    { name: "d/hard", flag: "1", link: "d/suid", mode: 0o4755, uid: 7, gid: 8 },
    { name: "d/sym", flag: "2", link: "../../outside", mtime: 77, uid: 9 },
    { name: "d/null", flag: "3", device: [1, 3], mode: 0o666 },
    { name: "d/disk", flag: "4", device: [259, 70000], mode: 0o660, gid: 6 },
    { name: "d/fifo", flag: "6", mode: 0o622 },
  ]);
  expect(lstatSync(tree).mode & 0o7777).toBe(0o755);
  expect(lstat(`${tree}/d`)).toMatchObject({ mode: 0o43755, uid: 5, gid: 6, mtime: 1000 });
  expect(lstat(`${tree}/d/suid`)).toMatchObject({ mode: 0o104755, uid: 7, nlink: 2, mtimeNanos: 0 });
  expect(getXattr(`${tree}/d/suid`, "security.capability")?.length).toBe(20);
  expect(getXattr(`${tree}/d/suid`, "trusted.overlay.redirect")).toBeUndefined();
  expect(lstat(`${tree}/d/sym`)).toMatchObject({ uid: 9, mtime: 77 });
  expect(readlinkSync(`${tree}/d/sym`)).toBe("../../outside");
  expect(lstat(`${tree}/d/null`)).toMatchObject({ mode: 0o20666, rdevMajor: 1, rdevMinor: 3 });
  expect(lstat(`${tree}/d/disk`)).toMatchObject({ mode: 0o60660, rdevMajor: 259, rdevMinor: 70000 });
  expect(lstat(`${tree}/d/fifo`)?.mode).toBe(0o10622);
});

test("times keep their nanoseconds, names that are no UTF-8 their bytes, long names all of it", async () => {
  const tree = await unpack([
    { name: "t", pax: [["mtime", "1234567890.123456789"]] },
    { name: "\xff\xfe", content: "raw" },
    { name: "x", pax: [["path", `${"a".repeat(200)}/${"b".repeat(200)}`]], content: "long" },
  ]);
  expect(lstat(`${tree}/t`)).toMatchObject({ mtime: 1234567890, mtimeNanos: 123456789 });
  expect(lstat(`${tree}/\xff\xfe`)?.size).toBe(3);
  expect(readFileSync(join(tree, "a".repeat(200), "b".repeat(200)), "utf8")).toBe("long");
});

test("whiteouts become overlayfs's, and AUFS's own entries vanish", async () => {
  const tree = await unpack([
    { name: "d/" },
    { name: "d/.wh..wh..opq" },
    { name: "d/.wh.gone" },
    { name: ".wh..wh.plnk/" },
    { name: ".wh..wh.aufs", content: "content that the archive needs" },
    { name: "e/f/.wh.implied", content: "even with content" },
  ]);
  expect(getXattr(`${tree}/d`, "trusted.overlay.opaque")?.toString()).toBe("y");
  expect(lstat(`${tree}/d/gone`)).toMatchObject({ mode: 0o20000, rdevMajor: 0, rdevMinor: 0 });
  expect(lstat(`${tree}/e/f/implied`)?.mode).toBe(0o20000);
  expect(readdirSync(tree).sort()).toEqual(["d", "e"]);
  expect(lstat(`${tree}/e`)?.mode).toBe(0o40755);
});

test("entries that replace others keep the archive exact and the last one in the tree", async () => {
  const tree = await unpack([
    { name: "a", content: "first" },
    { name: "a", content: "second, longer" },
    { name: "d/" },
    { name: "d/x", content: "below a directory that goes" },
    { name: "d", flag: "2", link: "e" },
    { name: "e/", mode: 0o700 },
    { name: "d/y", content: "through a link" },
    { name: "e/y", content: "the same place" },
    { name: "w", content: "hidden by its own whiteout" },
    { name: ".wh.w" },
    { name: "z/../a", content: "third" },
  ]);
  expect(readFileSync(`${tree}/a`, "utf8")).toBe("third");
  expect(readdirSync(`${tree}/e`)).toEqual(["y"]);
  expect(readFileSync(`${tree}/e/y`, "utf8")).toBe("the same place");
  expect(lstat(`${tree}/w`)?.mode).toBe(0o20000);
});

test("size counts contents and link targets once, not what was replaced", async () => {
  const layer = await store.unpack(
    streamOf(
      makeArchive([
        { name: "a", content: "12345" },
        { name: "b", flag: "1", link: "a" },
        { name: "c", flag: "2", link: "123" },
      ]),
    ),
  );
  expect(layer.size).toBe(8);
  const replaced = await store.unpack(
    streamOf(
      makeArchive([
        { name: "a", content: "12345" },
        { name: "a", content: "1" },
      ]),
    ),
  );
  expect(replaced.size).toBe(1);
});

test("sparse files keep their holes, and their archive", async () => {
  const tree = await unpack([
    {
      name: "s",
      content: "abcd1234",
      pax: [
        ["GNU.sparse.map", "1048576,4,9000000000,4"],
        ["GNU.sparse.size", "10000000000"],
      ],
    },
  ]);
  const stat = lstat(`${tree}/s`);
  expect(stat?.size).toBe(10_000_000_000);
  expect(stat?.blocks).toBeLessThan(100);
  const descriptor = openSync(`${tree}/s`, "r");
  const buffer = Buffer.alloc(4);
  readSync(descriptor, buffer, 0, 4, 9_000_000_000);
  closeSync(descriptor);
  expect(buffer.toString()).toBe("1234");
});

test("nothing leads out of the layer", async () => {
  const outside = join(root, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "victim"), "safe");
  const tree = await unpack([
    { name: "../../../../up", content: "clamped" },
    { name: "/abs", content: "relative" },
    { name: "out", flag: "2", link: outside },
    { name: "out/victim", content: "overwritten" },
    { name: "up2", flag: "2", link: "../../../../.." },
    { name: "up2/etc/gantry-escaped", content: "x" },
    { name: "split", flag: "2", link: "/tar-split" },
    { name: "split", content: "x" },
  ]);
  expect(readFileSync(join(outside, "victim"), "utf8")).toBe("safe");
  expect(existsSync("/etc/gantry-escaped")).toBe(false);
  expect(readFileSync(`${tree}/up`, "utf8")).toBe("clamped");
  expect(readFileSync(`${tree}/abs`, "utf8")).toBe("relative");
  expect(readFileSync(join(tree, outside, "victim"), "utf8")).toBe("overwritten");
  expect(readFileSync(`${tree}/etc/gantry-escaped`, "utf8")).toBe("x");
  const link = store.unpack(streamOf(makeArchive([{ name: "l", flag: "1", link: `../../../..${outside}/victim` }])));
  expect((await failure(link)).message).toMatch(/link \/l: no such file or directory/);
  const loop = store.unpack(
    streamOf(makeArchive([{ name: "a", flag: "2", link: "b" }, { name: "b", flag: "2", link: "a" }, { name: "a/x" }])),
  );
  expect((await failure(loop)).message).toMatch(/too many levels of symbolic links/);
});

test("a refused archive leaves nothing, and Docker's words", async () => {
  const before = store.list();
  const whole = makeArchive([{ name: "a", content: "x".repeat(5000) }]);
  expect(await failure(store.unpack(streamOf(whole.subarray(0, 3000))))).toEqual({
    kind: "invalid-argument",
    message: "unexpected EOF",
  });
  expect((await failure(store.unpack(streamOf(Buffer.alloc(600, 7))))).message).toBe("archive/tar: invalid tar header");
  const other = `sha256:${"0".repeat(64)}`;
  expect((await failure(store.unpack(streamOf(whole), { expected: other }))).kind).toBe("invalid-argument");
  await store.close();
  expect(store.list()).toEqual(before);
  expect(readdirSync(join(root, "layers", ".new"))).toEqual([]);
});

for (const [name, argv] of Object.entries({
  gzip: ["gzip", "-c"],
  zstd: ["zstd", "-qc"],
  xz: ["xz", "-c"],
  bzip2: ["bzip2", "-c"],
})) {
  test(`${name}: unpacked from a stream and from a range of a file`, async () => {
    const archive = makeArchive([{ name: `by ${name}`, content: Buffer.alloc(200_000, name).toString() }], 10240);
    const blob = Bun.spawnSync(argv, { stdin: archive }).stdout;
    const want = { diffId: digestOf(archive), size: 200_000 };
    expect(await store.unpack(streamOf(blob.subarray(0, 3), blob.subarray(3)))).toEqual(want);
    await store.remove(want.diffId);
    const path = join(root, `range-${name}`);
    writeFileSync(path, Buffer.concat([Buffer.alloc(777, 1), blob, Buffer.alloc(99, 2)]));
    expect(await store.unpack({ path, offset: 777, size: blob.length })).toEqual(want);
    await store.remove(want.diffId);
    const short = await failure(store.unpack({ path, offset: 777, size: Math.floor(blob.length / 2) }));
    expect(short).toEqual({
      kind: "invalid-argument",
      message: "unexpected EOF",
    });
  });
}

test("compressed, a stream that breaks tells why itself, and what comes after the end is passed over", async () => {
  const archive = makeArchive([{ name: "noise", content: randomBytes(3 << 20).toString("base64") }]);
  const blob = Bun.gzipSync(new Uint8Array(archive));
  async function* broken() {
    yield blob.subarray(0, blob.length / 2);
    throw new Error("the source broke");
  }
  expect((await failure(store.unpack(broken()))).message).toBe("the source broke");
  const garbage = Array.from({ length: 8 }, () => Buffer.alloc(1 << 20, 7));
  expect((await store.unpack(streamOf(blob, ...garbage))).diffId).toBe(digestOf(archive));
});

test("an existing layer is not unpacked again, and is gone at once when removed", async () => {
  const archive = makeArchive([{ name: "again" }]);
  const [first, second] = await Promise.all([store.unpack(streamOf(archive)), store.unpack(streamOf(archive))]);
  expect(first).toEqual(second);
  const never = {
    [Symbol.asyncIterator]() {
      throw new Error("was read");
    },
  };
  expect((await store.unpack(never, { expected: first.diffId })).diffId).toBe(first.diffId);
  await store.remove(first.diffId);
  await store.remove(first.diffId);
  expect(store.has(first.diffId)).toBe(false);
  expect(existsSync(store.path(first.diffId))).toBe(false);
  expect(() => store.openTar(first.diffId)).toThrow("does not exist");
});

test("an abort ends the work and rejects canceled; an error of the source is passed on", async () => {
  const controller = new AbortController();
  const slow = (async function* () {
    yield makeArchive([{ name: "a" }], 0);
    controller.abort();
    await Bun.sleep(2000);
  })();
  const started = performance.now();
  expect((await failure(store.unpack(slow, { signal: controller.signal }))).kind).toBe("canceled");
  expect(performance.now() - started).toBeLessThan(1500);
  const broken = (async function* () {
    yield makeArchive([{ name: "a" }], 0);
    throw new Error("connection reset");
  })();
  expect((await failure(store.unpack(broken))).message).toBe("connection reset");
});

test("reconcile removes what has no row and rows without a directory", async () => {
  const { diffId } = await store.unpack(streamOf(makeArchive([{ name: "kept" }])));
  const lost = `sha256:${"1".repeat(64)}`;
  database.run("INSERT INTO layers VALUES (?, 'ready', 1)", lost);
  const orphan = join(root, "layers", "2".repeat(64));
  mkdirSync(join(orphan, "diff"), { recursive: true });
  mkdirSync(join(root, "layers", ".new", "half", "diff"), { recursive: true });
  await store.reconcile();
  await store.close();
  expect(store.has(diffId)).toBe(true);
  expect(store.has(lost)).toBe(false);
  expect(existsSync(orphan)).toBe(false);
  expect(readdirSync(join(root, "layers", ".new"))).toEqual([]);
  expect(readdirSync(join(root, "trash"))).toEqual([]);
});

test("tarTo writes to a descriptor", async () => {
  const archive = makeArchive([{ name: "direct", content: "x".repeat(3_000_000) }]);
  const { diffId } = await store.unpack(streamOf(archive));
  const path = join(root, "out.tar");
  const descriptor = openSync(path, "w");
  await store.tarTo(diffId, descriptor);
  closeSync(descriptor);
  expect(digestOf(readFileSync(path))).toBe(diffId);
});
