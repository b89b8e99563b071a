import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorKind } from "../../base/errors.ts";
import { type Bytes, collect } from "../../base/streams.ts";
import { readMountInfo } from "../../linux/mounts/mount.ts";
import { makeArchive, streamOf, type TestEntry } from "../tar/test-archive.ts";
import { ChildContainerTree } from "./child-container-tree.ts";
import type { PutOptions, TreeRoot } from "./container-tree.ts";

const tree = new ChildContainerTree();
// Each step starts processes, which on a busy machine takes its time.
setDefaultTimeout(60_000);

let root: string;
let rootfs: string;
let stopped: TreeRoot;
let running: TreeRoot;
let init: Bun.Subprocess;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "gantry-tree-"));
  rootfs = join(root, "rootfs");
  for (const name of ["bin", "etc/sub", "run", "tmp", "proc", "dev", "data"])
    mkdirSync(join(rootfs, name), { recursive: true });
  for (const name of ["volume/inner", "readonly"]) mkdirSync(join(root, name), { recursive: true });
  copyFileSync("/bin/busybox", join(rootfs, "bin/busybox"));
  writeFileSync(join(rootfs, "etc/passwd"), "root\n");
  utimesSync(join(rootfs, "etc/passwd"), 1_700_000_000, 1_700_000_000.25);
  symlinkSync("/etc", join(rootfs, "absolute"));
  symlinkSync("../../../../etc/sub", join(rootfs, "etc/relative"));
  symlinkSync("/nowhere/x", join(rootfs, "broken"));
  symlinkSync("/run", join(rootfs, "var-run"));
  chmodSync(join(rootfs, "tmp"), 0o1777);
  writeFileSync(join(root, "volume/inner/file"), "in the volume");
  const binds = [
    { source: join(root, "volume"), destination: "/var-run/volume", readOnly: false },
    { source: join(root, "readonly"), destination: "/readonly", readOnly: true },
  ];
  stopped = { name: "web", rootfs, binds };
  const script = `mount -t tmpfs none ${rootfs}/data && mount -t proc none ${rootfs}/proc && echo live > ${rootfs}/data/live
    exec chroot ${rootfs} /bin/busybox sleep 100`;
  init = Bun.spawn(["unshare", "-m", "sh", "-ec", script]);
  running = { name: "web", pid: init.pid, binds: [] };
  while (readFileSync(`/proc/${init.pid}/comm`, "utf8") !== "busybox\n") await Bun.sleep(5);
});
afterAll(async () => {
  init.kill("SIGKILL");
  await init.exited;
  rmSync(root, { recursive: true });
});

const signal = new AbortController().signal;
const options: PutOptions = { noOverwriteDirNonDir: false, readOnlyRootfs: false, signal };

async function failure(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return `${errorKind(error)}: ${(error as Error).message}`;
  }
  throw new Error("did not fail");
}

async function list(body: Bytes): Promise<string[]> {
  const child = Bun.spawnSync(["tar", "-P", "-tf", "-"], { stdin: await collect(body) });
  return child.stdout.toString().split("\n").filter(Boolean);
}

const names = async (of: TreeRoot, path: string) => list((await tree.getArchive(of, path, signal)).body);
const put = (path: string, entries: TestEntry[], more: Partial<PutOptions> = {}, of = stopped) =>
  tree.putArchive(of, path, streamOf(makeArchive(entries)), { ...options, ...more });

test("statPath answers as Docker does", async () => {
  expect(await tree.statPath(stopped, "etc/passwd")).toEqual({
    name: "passwd",
    size: 5,
    mode: 0o644,
    mtime: "2023-11-14T22:13:20.25Z",
    linkTarget: "",
  });
  expect(await tree.statPath(stopped, "/absolute")).toMatchObject({
    name: "absolute",
    mode: 134218239,
    linkTarget: "/etc",
  });
  expect(await tree.statPath(stopped, "/absolute/")).toMatchObject({ name: "absolute", mode: 2147484141 });
  expect(await tree.statPath(stopped, "/etc/.")).toMatchObject({ name: ".", mode: 2147484141 });
  expect(await tree.statPath(stopped, "/")).toMatchObject({ name: "/" });
  expect((await tree.statPath(stopped, "/tmp")).mode).toBe(2148532735);
  expect((await tree.statPath(stopped, "/etc/relative")).linkTarget).toBe("/etc/sub");
  expect((await tree.statPath(stopped, "/broken")).linkTarget).toBe("/nowhere/x");
  expect((await tree.statPath(stopped, "/run/volume/inner/file")).size).toBe(13);
  expect(await failure(tree.statPath(stopped, "/nope/x"))).toBe(
    "not-found: Could not find the file /nope/x in container web",
  );
  expect(await failure(tree.statPath(stopped, "/etc/passwd/x"))).toBe("internal: lstat /etc/passwd/x: not a directory");
  expect(await failure(tree.statPath(stopped, "/etc/passwd/"))).toBe("internal: lstat /etc/passwd/: not a directory");
});

test("a running container is seen with its own mounts", async () => {
  expect(await tree.statPath(running, "/data/live")).toMatchObject({ size: 5 });
  expect(await names(running, "/data")).toEqual(["data/", "data/live"]);
  const all = await names(running, "/");
  expect(all).toContain("/data/live");
  expect(all.filter((name) => name.startsWith("/proc"))).toEqual(["/proc/"]);
  await put("/data", [{ name: "put", content: "x" }], {}, running);
  expect(await names(running, "/data/.")).toEqual(["./", "./live", "./put"]);
  const gone: TreeRoot = { name: "web", pid: 2 ** 22, binds: [] };
  expect(await failure(tree.statPath(gone, "/"))).toBe("not-found: container web is not running");
});

test("getArchive names its entries after the path's last element", async () => {
  expect(await names(stopped, "/etc")).toEqual(["etc/", "etc/passwd", "etc/relative", "etc/sub/"]);
  expect(await names(stopped, "/absolute")).toEqual(["absolute"]);
  expect(await names(stopped, "/absolute/")).toEqual([
    "absolute/",
    "absolute/passwd",
    "absolute/relative",
    "absolute/sub/",
  ]);
  expect(await names(stopped, "/etc/sub/.")).toEqual(["./"]);
  expect((await names(stopped, "/")).slice(0, 3)).toEqual(["/", "/absolute", "/bin/"]);
  expect(await names(stopped, "/var-run/volume")).toEqual(["volume/", "volume/inner/", "volume/inner/file"]);
  expect(await failure(tree.getArchive(stopped, "/nope", signal))).toMatch(/^not-found: Could not find/);
});

test("putArchive extracts, follows links to the directory, and keeps owners unless told otherwise", async () => {
  await put("/absolute/sub", [{ name: "a", content: "1", uid: 7, gid: 8, mode: 0o4755 }]);
  expect(lstatSync(join(rootfs, "etc/sub/a"))).toMatchObject({ uid: 7, gid: 8, mode: 0o104755 });
  await put("/etc/sub/", [{ name: "a", content: "2" }, { name: "n/", uid: 3 }, { name: "n/b" }], {
    chown: { uid: 1, gid: 2 },
  });
  expect(readFileSync(join(rootfs, "etc/sub/a"), "utf8")).toBe("2");
  expect(lstatSync(join(rootfs, "etc/sub/n"))).toMatchObject({ uid: 1, gid: 2 });
  await put(
    "/run/volume",
    [
      { name: "new", content: "x" },
      { name: ".wh.plain", content: "a file like others" },
    ],
    { readOnlyRootfs: true },
  );
  expect(readdirSync(join(root, "volume")).sort()).toEqual([".wh.plain", "inner", "new"]);
  const gzipped = Bun.gzipSync(new Uint8Array(makeArchive([{ name: "packed", content: "x" }])));
  await tree.putArchive(stopped, "/etc/sub", streamOf(gzipped), options);
  expect(existsSync(join(rootfs, "etc/sub/packed"))).toBe(true);
  expect(readMountInfo().some(({ mountPoint }) => mountPoint.startsWith(root))).toBe(false);
});

test("putArchive refuses as Docker does", async () => {
  const one = [{ name: "x" }];
  expect(await failure(put("/etc/passwd", one))).toBe("invalid-argument: extraction point is not a directory");
  expect(await failure(put("/nope", one))).toBe("not-found: Could not find the file /nope in container web");
  expect(await failure(put("/broken", one))).toBe("not-found: Could not find the file /broken in container web");
  expect(await failure(put("/readonly", one))).toBe("invalid-argument: mounted volume is marked read-only");
  expect(await failure(put("/etc", one, { readOnlyRootfs: true }))).toBe(
    "invalid-argument: container rootfs is marked read-only",
  );
  const strict = { noOverwriteDirNonDir: true };
  expect(await failure(put("/etc", [{ name: "sub" }], strict))).toBe(
    'invalid-argument: cannot overwrite directory "/etc/sub" with non-directory "/etc"',
  );
  expect(await failure(put("/etc", [{ name: "passwd/" }], strict))).toBe(
    'invalid-argument: cannot overwrite non-directory "/etc/passwd" with directory "/etc"',
  );
  expect(await failure(put("/etc/sub", [{ name: "../evil" }]))).toBe(
    'invalid-argument: "../evil" is outside of "/etc/sub"',
  );
  expect(await failure(tree.putArchive(stopped, "/etc", streamOf(Buffer.alloc(700, 1)), options))).toMatch(
    /invalid tar header/,
  );
});

test("neither links in the tree nor in an archive lead to the host", async () => {
  const outside = join(root, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "secret"), "secret");
  symlinkSync(outside, join(rootfs, "escape"));
  expect(await failure(tree.statPath(stopped, "/escape/secret"))).toMatch(/^not-found/);
  expect(await failure(put("/escape", [{ name: "x" }]))).toMatch(/^not-found/);
  await put("/tmp", [
    { name: "l", flag: "2", link: outside },
    { name: "l/secret", content: "changed" },
  ]);
  await put("/tmp", [
    { name: "up", flag: "2", link: "../../../../../../../../../../../tmp" },
    { name: "up/gantry-tree-escaped" },
  ]);
  expect(readFileSync(join(outside, "secret"), "utf8")).toBe("secret");
  expect(existsSync("/tmp/gantry-tree-escaped")).toBe(false);
});

test("exportTree gives the root without its mounts", async () => {
  const found = await list(await tree.exportTree(rootfs, signal));
  expect(found).toContain("etc/passwd");
  expect(found.filter((name) => name.startsWith("data"))).toEqual(["data/"]);
  expect(found[0]).toBe("absolute");
});

test("an abort ends the child and the stream", async () => {
  writeFileSync(join(rootfs, "big"), Buffer.alloc(50 << 20));
  const controller = new AbortController();
  const { body } = await tree.getArchive(stopped, "/big", controller.signal);
  const reading = (async () => {
    for await (const _ of body) controller.abort();
  })();
  expect(await failure(reading)).toMatch(/^canceled/);
});
