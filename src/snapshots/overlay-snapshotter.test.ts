import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeArchive, streamOf, type TestEntry } from "../archive/tar/test-archive.ts";
import { Logger } from "../base/log.ts";
import { collect } from "../base/streams.ts";
import { getXattr, listXattrs, lstat, setXattr } from "../linux/files.ts";
import { readMountInfo, unmountIfMounted } from "../linux/mounts/mount.ts";
import { mountAtOnce } from "../linux/mounts/overlay.ts";
import { Database } from "../metadata/database.ts";
import { DirectoryLayerStore } from "./directory-layer-store.ts";
import { OverlaySnapshotter } from "./overlay-snapshotter.ts";
import { Trash } from "./trash.ts";

// Each step starts processes, which on a busy machine takes its time.
setDefaultTimeout(60_000);

let root: string;
let layers: DirectoryLayerStore;
let snapshots: OverlaySnapshotter;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "gantry-snap,s-"));
  const trash = new Trash(join(root, "trash"), new Logger());
  layers = new DirectoryLayerStore(root, new Database(":memory:"), trash);
  snapshots = new OverlaySnapshotter(root, layers, trash);
});
afterAll(async () => {
  await snapshots.reconcile(new Set());
  await snapshots.close();
  const left = readMountInfo().filter(({ mountPoint }) => mountPoint.startsWith(root));
  for (const { mountPoint } of left) unmountIfMounted(mountPoint, { detach: true });
  rmSync(root, { recursive: true });
  expect(left).toEqual([]);
});

async function layer(...entries: TestEntry[]): Promise<string> {
  return (await layers.unpack(streamOf(makeArchive(entries)))).diffId;
}

async function mounted(key: string, ...diffIds: string[]): Promise<string> {
  snapshots.prepare(key, diffIds);
  return snapshots.mount(key);
}

async function diff(key: string): Promise<string[]> {
  return (await snapshots.changes(key)).map(({ Path, Kind }) => `${"CAD"[Kind]} ${Path}`);
}

function tarList(diffId: string): Promise<string[]> {
  return collect(layers.openTar(diffId)).then((tar) =>
    Bun.spawnSync(["tar", "-tf", "-"], { stdin: tar }).stdout.toString().split("\n").filter(Boolean),
  );
}

test("layers appear as one tree, the later ones on top, over the mount points", async () => {
  const base = await layer(
    { name: "a", content: "1" },
    { name: "b", content: "1" },
    { name: "etc/hosts", content: "own" },
  );
  const top = await layer({ name: "a", content: "2" }, { name: ".wh.b" });
  const tree = await mounted("order", base, top);
  expect(readdirSync(tree).sort()).toEqual([".dockerenv", "a", "dev", "etc", "proc", "sys"]);
  expect(readFileSync(`${tree}/a`, "utf8")).toBe("2");
  expect(readFileSync(`${tree}/etc/hosts`, "utf8")).toBe("own");
  expect(readdirSync(`${tree}/etc`).sort()).toEqual(["hostname", "hosts", "mtab", "resolv.conf"]);
  expect(await diff("order")).toEqual([]);
});

test("a layer that comes twice counts where it is topmost", async () => {
  const twice = await layer({ name: "a", content: "1" }, { name: "d/", mode: 0o700 });
  const between = await layer({ name: ".wh.a" }, { name: "b", content: "2" }, { name: "d/x", content: "3" });
  const tree = await mounted("twice-in-a-row", twice, twice, between, twice);
  expect(readFileSync(join(tree, "a"), "utf8")).toBe("1");
  expect(readFileSync(join(tree, "d/x"), "utf8")).toBe("3");
});

test("a plain snapshot holds nothing but its layers", async () => {
  const base = await layer({ name: "a", content: "1" });
  snapshots.prepare("plain", [base], { plain: true });
  expect(readdirSync(snapshots.mount("plain"))).toEqual(["a"]);
  snapshots.prepare("plain-empty", [], { plain: true });
  const empty = snapshots.mount("plain-empty");
  expect(readdirSync(empty)).toEqual([]);
  mkdirSync(join(empty, "new"));
  expect(await tarList((await snapshots.commit("plain-empty")).diffId)).toEqual(["new/"]);
});

test("mounting, unmounting and removing are idempotent, and what does not exist is not found", async () => {
  snapshots.prepare("twice", []);
  expect(() => snapshots.prepare("twice", [])).toThrow("already exists");
  expect(snapshots.isMounted("twice")).toBe(false);
  const tree = snapshots.mount("twice");
  expect(snapshots.mount("twice")).toBe(tree);
  expect(tree).toBe(snapshots.rootfs("twice"));
  writeFileSync(`${tree}/file`, "kept");
  await snapshots.unmount("twice");
  await snapshots.unmount("twice");
  expect(snapshots.isMounted("twice")).toBe(false);
  expect(readFileSync(`${snapshots.mount("twice")}/file`, "utf8")).toBe("kept");
  await snapshots.remove("twice");
  await snapshots.remove("twice");
  await snapshots.unmount("twice");
  expect(snapshots.exists("twice")).toBe(false);
  expect(() => snapshots.mount("twice")).toThrow("snapshot twice does not exist");
  expect(() => snapshots.prepare("x", [`sha256:${"0".repeat(64)}`])).toThrow("does not exist");
  await snapshots.close();
  expect(readdirSync(join(root, "trash"))).toEqual([]);
});

test("a snapshot in use is unmounted and removed all the same", async () => {
  const tree = await mounted("busy");
  const user = Bun.spawn(["sleep", "60"], { cwd: tree });
  await snapshots.remove("busy");
  expect(existsSync(tree)).toBe(false);
  user.kill("SIGKILL");
  await user.exited;
});

test("changes are what docker diff shows", async () => {
  const base = await layer(
    { name: "keep/" },
    { name: "keep/same", content: "same" },
    { name: "keep/touched", content: "same" },
    { name: "mode/" },
    { name: "replaced/" },
    { name: "replaced/old/" },
    { name: "replaced/old/deep", content: "x" },
    { name: "replaced/both", content: "x" },
    { name: "gone/" },
    { name: "gone/x" },
    { name: "kind", content: "x" },
    { name: "cap", content: "x" },
  );
  const tree = await mounted("diff", base);
  const sh = (script: string) => {
    const { exitCode, stderr } = Bun.spawnSync(["sh", "-ec", script], { cwd: tree });
    expect(`${stderr}${exitCode}`).toBe("0");
  };
  // Opened for writing, so copied up, but not changed.
  sh(": >> keep/same; touch -d @1600000000 keep/same");
  sh("echo more >> keep/touched; chmod 700 mode; rm -r gone; rm kind; mkdir kind; echo > kind/in");
  sh(
    "rm -r replaced; mkdir replaced; echo new > replaced/both; echo > replaced/fresh; mkdir -p new/deep; ln -s x new/link",
  );
  const capability = Buffer.from("01000002002000000000000000000000" + "00000000", "hex");
  setXattr(`${tree}/cap`, "security.capability", capability);
  expect(await diff("diff")).toEqual(
    [
      "C /cap",
      "C /keep",
      "C /keep/touched",
      "C /kind",
      "A /kind/in",
      "C /mode",
      "A /new",
      "A /new/deep",
      "A /new/link",
      "C /replaced",
      "C /replaced/both",
      "A /replaced/fresh",
      "D /replaced/old",
      "D /gone",
    ].sort((a, b) => (a.slice(2) < b.slice(2) ? -1 : 1)),
  );
});

test("a committed layer on the same base shows the same tree", async () => {
  const base = await layer(
    { name: "d/" },
    { name: "d/old", content: "x" },
    { name: "opaque/" },
    { name: "opaque/hidden", content: "x" },
    { name: "untouched/" },
    { name: "untouched/x" },
  );
  const tree = await mounted("commit", base);
  rmSync(`${tree}/d/old`);
  rmSync(`${tree}/opaque`, { recursive: true });
  mkdirSync(`${tree}/opaque`);
  writeFileSync(`${tree}/opaque/new`, "new");
  writeFileSync(`${tree}/first`, "linked".repeat(100_000));
  linkSync(`${tree}/first`, `${tree}/second`);
  symlinkSync("target", `${tree}/link`);
  setXattr(`${tree}/first`, "user.note", Buffer.from("n"));
  Bun.spawnSync(
    ["sh", "-c", "mkfifo pipe; truncate -s 50M sparse; printf end >> sparse; chown 5:6 first; chmod 4711 first"],
    { cwd: tree },
  );
  using _socket = Bun.listen({ unix: `${tree}/socket`, socket: { data() {} } }) as unknown as Disposable;
  const committed = await snapshots.commit("commit");
  expect(committed.size).toBe(600_000 + 6 + 50 * 2 ** 20 + 3 + 3);
  expect(await tarList(committed.diffId)).toEqual([
    "d/",
    "d/.wh.old",
    "first",
    "link",
    "opaque/",
    "opaque/.wh..wh..opq",
    "opaque/new",
    "pipe",
    "second",
    "sparse",
  ]);
  const again = await mounted("again", base, committed.diffId);
  rmSync(`${tree}/socket`);
  const compare = Bun.spawnSync(["diff", "-r", "--no-dereference", "-x", "pipe", tree, again]);
  expect(compare.stdout.toString()).toBe("");
  expect(await diff("again")).toEqual([]);
  expect(lstat(`${again}/second`)).toMatchObject({ nlink: 2, mode: 0o104711, uid: 5, gid: 6 });
  expect(getXattr(`${again}/first`, "user.note")?.toString()).toBe("n");
  expect(lstat(`${again}/sparse`)?.blocks).toBeLessThan(1000);
  expect((await snapshots.commit("commit")).diffId).toBe(committed.diffId);
  expect(await snapshots.usage("commit")).toBe(committed.size);
});

test("a container that swaps a directory for a link meanwhile reads nothing of the host", async () => {
  const tree = await mounted("hostile");
  mkdirSync(`${tree}/d`);
  symlinkSync("/etc", `${tree}/link`);
  const { diffId } = await snapshots.commit("hostile");
  expect(await tarList(diffId)).toEqual(["d/", "link"]);
});

test("a hundred and fifty layers are mounted, by both ways of the kernel", async () => {
  const ids: string[] = [];
  for (let i = 0; i < 150; i++) {
    const directory = layers.newDirectory();
    mkdirSync(join(directory.path, "diff"));
    writeFileSync(join(directory.path, "diff", `f${i}`), "");
    ids.push(layers.adopt(directory.path, { diffId: `sha256:${i.toString(16).padStart(64, "0")}`, size: 0 }).diffId);
  }
  const tree = await mounted("deep", ...ids);
  expect(readdirSync(tree).filter((name) => name.startsWith("f"))).toHaveLength(150);
  await snapshots.unmount("deep");
  const path = join(root, "snapshots", "deep");
  const lower = ids.map((id) => layers.path(id));
  mountAtOnce({ lower, upper: join(path, "upper"), work: join(path, "work"), target: tree });
  expect(readdirSync(tree).filter((name) => name.startsWith("f"))).toHaveLength(150);
  expect(snapshots.isMounted("deep")).toBe(true);
});

test("reconcile removes unknown snapshots, mounted or not, and keeps known ones mounted", async () => {
  const known = await mounted("known");
  const unknown = await mounted("unknown");
  snapshots.prepare("unmounted", []);
  await snapshots.reconcile(new Set(["known"]));
  expect([existsSync(unknown), snapshots.exists("unmounted"), snapshots.isMounted("known")]).toEqual([
    false,
    false,
    true,
  ]);
  expect(statSync(`${known}/proc`).isDirectory()).toBe(true);
});

test("a consumed snapshot's upper directory is the layer: just what its archive unpacks to", async () => {
  const base = await layer(
    { name: "gone", content: "1" },
    { name: "dir/", mode: 0o700 },
    { name: "dir/old", content: "1" },
    { name: "same/", mode: 0o750 },
    { name: "same/file", content: "1" },
    { name: "changed", content: "1" },
  );
  const tree = await mounted("consumed", base);
  rmSync(`${tree}/gone`);
  rmSync(`${tree}/dir`, { recursive: true });
  mkdirSync(`${tree}/dir`);
  writeFileSync(`${tree}/dir/new`, "22");
  linkSync(`${tree}/dir/new`, `${tree}/linked`);
  mkdirSync(`${tree}/fresh/deep`, { recursive: true });
  symlinkSync("target", `${tree}/fresh/link`);
  writeFileSync(`${tree}/changed`, "333");
  setXattr(`${tree}/changed`, "user.note", Buffer.from("n"));
  // A file that comes and goes leaves a copy of its directory, and one that was never below leaves nothing.
  writeFileSync(`${tree}/same/brief`, "");
  rmSync(`${tree}/same/brief`);
  const socket = Bun.listen({ unix: `${tree}/fresh/socket`, socket: { data() {} } });
  writeFileSync(`${tree}/fresh/.wh.odd`, "");
  const { diffId, size } = await snapshots.commit("consumed", { consume: true });
  socket.stop();
  await snapshots.remove("consumed");
  const copy = new DirectoryLayerStore(
    join(root, "copy"),
    new Database(":memory:"),
    new Trash(join(root, "t"), new Logger()),
  );
  const unpacked = await copy.unpack(layers.openTar(diffId));
  expect(unpacked).toMatchObject({ diffId, size });
  expect(size).toBe(2 + "target".length + 3);
  const adopted = describeTree(layers.path(diffId));
  expect(adopted).toEqual(describeTree(copy.path(diffId)));
  expect(adopted.map((line) => line.split(" ")[0])).toEqual(
    "changed dir dir/new fresh fresh/deep fresh/link gone linked".split(" "),
  );
  expect(getXattr(join(layers.path(diffId), "dir"), "trusted.overlay.opaque")?.toString()).toBe("y");
  expect(getXattr(join(layers.path(diffId), "fresh"), "trusted.overlay.opaque")).toBeUndefined();
});

test("mount points that a runtime made go again, unless something is in them; kept ones are ordinary directories", async () => {
  const base = await layer({ name: "opt/", mode: 0o750 }, { name: "there/" });
  const tree = await mounted("points", base);
  for (const path of ["opt/a/b", "full", "volume"]) mkdirSync(`${tree}/${path}`, { recursive: true });
  chmodSync(`${tree}/volume`, 0o1755);
  writeFileSync(`${tree}/file`, "");
  writeFileSync(`${tree}/full/x`, "1");
  const temporary = (path: string) => ({ path, temporary: true });
  const mountPoints = [
    ...["/opt/a/b", "/file", "/full", "/there"].map(temporary),
    { path: "/volume", temporary: false },
  ];
  const { diffId } = await snapshots.commit("points", { consume: true, mountPoints });
  await snapshots.remove("points");
  expect(describeTree(layers.path(diffId)).map((line) => line.split(" ").slice(0, 2).join(" "))).toEqual([
    "full 40755",
    "full/x 100644",
    "volume 40755",
  ]);
});

/** Name, mode, owner, links, size, seconds, attributes and content of everything in a tree. */
function describeTree(tree: string): string[] {
  const names = readdirSync(tree, { recursive: true }).map(String).sort();
  return names.map((name) => {
    const path = join(tree, name);
    const stat = lstat(path);
    if (!stat) throw new Error(`${path} is gone`);
    const { mode, uid, gid, nlink, size, mtime, rdevMajor } = stat;
    const directory = (mode & 0o170000) === 0o040000;
    // A whiteout's time means nothing.
    const time = (mode & 0o170000) === 0o020000 ? "" : mtime;
    const content = (mode & 0o170000) === 0o100000 ? readFileSync(path, "utf8") : "";
    const xattrs = listXattrs(path).map((xattr) => `${xattr}=${getXattr(path, xattr)}`);
    return [name, mode.toString(8), uid, gid, nlink, directory ? "" : size, time, rdevMajor, xattrs, content].join(" ");
  });
}
