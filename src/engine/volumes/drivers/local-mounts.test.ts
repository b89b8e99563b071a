import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readMountInfo, unmountBelow } from "../../../linux/mounts/mount.ts";
import { LocalMounts } from "./local-mounts.ts";
import { hidePassword, needsMount, toMount } from "./local-options.ts";

let root: string;
let path: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "gantry-local-"));
  path = join(root, "v/_data");
  mkdirSync(path, { recursive: true });
});

afterEach(() => {
  unmountBelow(root);
  rmSync(root, { recursive: true });
});

const tmpfs = { type: "tmpfs", device: "tmpfs", o: "size=1m,nosuid" };
const mounted = () => readMountInfo().filter(({ mountPoint }) => mountPoint === path);

test("mounted for the first user, once for all, gone with the last", async () => {
  const mounts = new LocalMounts();
  await Promise.all([mounts.acquire(path, tmpfs, "a"), mounts.acquire(path, tmpfs, "b")]);
  await mounts.acquire(path, tmpfs, "a");
  expect(mounted()).toMatchObject([{ type: "tmpfs", options: expect.arrayContaining(["nosuid"]) }]);
  await mounts.release(path, "a");
  await mounts.release(path, "a");
  expect(mounted()).toHaveLength(1);
  await mounts.release(path, "b");
  expect(mounted()).toEqual([]);
});

test("after a restart users that are told of keep theirs, the rest is unmounted", async () => {
  const before = new LocalMounts();
  const other = join(root, "w/_data");
  mkdirSync(other, { recursive: true });
  await before.acquire(path, tmpfs, "a");
  await before.acquire(other, tmpfs, "b");
  const after = new LocalMounts();
  after.adopt(path, "a");
  after.reconcile(root);
  expect(readMountInfo().filter(({ mountPoint }) => mountPoint.startsWith(root))).toHaveLength(1);
  expect(mounted()).toHaveLength(1);
  await after.release(path, "a");
  expect(mounted()).toEqual([]);
});

test("what cannot be mounted says why, without the password, and is tried again", async () => {
  const mounts = new LocalMounts();
  const options = { type: "nonsense", device: "thing", o: "ro,username=a,password=secret" };
  await expect(mounts.acquire(path, options, "a")).rejects.toThrow(
    `failed to mount local volume: mount thing:${path}, flags: 0x1, data: username=a,password=********: no such device`,
  );
  await mounts.acquire(path, tmpfs, "a");
  expect(mounted()).toHaveLength(1);
});

test("addresses of network file systems are resolved, for the kernel knows no names", async () => {
  expect(await toMount({ type: "nfs", device: ":/x", o: "addr=10.0.0.1,rw" })).toEqual({
    type: "nfs",
    device: ":/x",
    options: "addr=10.0.0.1,rw",
  });
  const local = await toMount({ type: "nfs", device: ":/x", o: "rw,addr=localhost" });
  expect(local.options).toMatch(/^rw,addr=(127\.0\.0\.1|::1)$/);
  const share = await toMount({ type: "cifs", device: "//localhost/share", o: "username=a" });
  expect(share.options).toMatch(/^username=a,addr=(127\.0\.0\.1|::1)$/);
  expect(needsMount({ size: "1m" })).toBe(false);
  expect(hidePassword("data: password=x,ro", "password=x,ro")).toBe("data: password=********,ro");
});
