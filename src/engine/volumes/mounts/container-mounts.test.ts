import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { HostConfig } from "../../../api/container-config.ts";
import { readMountInfo } from "../../../linux/mounts/mount.ts";
import { ScratchVolumes } from "../scratch-volumes.ts";
import type { VolumeEvent } from "../volumes.ts";
import { ContainerMounts } from "./container-mounts.ts";

let scratch: ScratchVolumes;
let directory: string;
let mounts: ContainerMounts;
let rootfs: string;
let users: Map<string, string[]>;
let events: VolumeEvent[];

beforeEach(() => {
  scratch = new ScratchVolumes();
  const { volumes, usage, dataRoot } = scratch;
  ({ directory, users, events } = scratch);
  rootfs = join(directory, "rootfs");
  mkdirSync(rootfs);
  mounts = new ContainerMounts({
    volumes,
    usage,
    dataRoot,
    pinRoot: join(directory, "pins"),
    snapshots: {
      mount: (key) => join(directory, key),
      unmount: async () => undefined,
      rootfs: (key) => join(directory, key),
    },
    host: { kernelRelease: "6.1.0" },
    log: { warn: () => undefined },
  });
});

afterEach(() => scratch[Symbol.dispose]());

const plan = (hostConfig: HostConfig, volumes: Record<string, object> = {}) =>
  mounts.plan({
    containerId: "c1",
    config: { Volumes: volumes },
    hostConfig,
    imageVolumes: [],
    resolveImage: () => ({ id: "", layers: [] }),
    volumesFrom: () => [],
  });

const start = async (hostConfig: HostConfig) => mounts.toSpecMounts(await plan(hostConfig), rootfs, "c1");

test("a read-only file is not recursively so: the runtime would take it for a directory", async () => {
  const file = join(directory, "file");
  writeFileSync(file, "");
  expect((await start({ Binds: [`${file}:/f:ro`] }))[0]?.options).toEqual(["rbind", "ro", "rprivate"]);
});

test("spec mounts come outermost first, read-only ones recursively so", async () => {
  const shown = await start({
    Binds: [`${rootfs}:/a/b:ro`, `${directory}/made/here:/a`],
    Mounts: [
      { Type: "bind", Source: rootfs, Target: "/c", ReadOnly: true, BindOptions: { ReadOnlyNonRecursive: true } },
    ],
    Tmpfs: { "/t": "size=64k,exec" },
  });
  expect(shown).toEqual([
    { destination: "/a", type: "bind", source: `${directory}/made/here`, options: ["rbind", "rprivate"] },
    { destination: "/c", type: "bind", source: rootfs, options: ["rbind", "ro", "rprivate"] },
    { destination: "/t", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "rprivate", "size=64k", "exec"] },
    { destination: "/a/b", type: "bind", source: rootfs, options: ["rbind", "rro", "rprivate"] },
  ]);
  expect(statSync(`${directory}/made/here`).isDirectory()).toBe(true);
});

test("a tmpfs has the mode of the directory it covers, unless it is given one", async () => {
  mkdirSync(join(rootfs, "covered"));
  chmodSync(join(rootfs, "covered"), 0o1750);
  const shown = await start({ Tmpfs: { "/covered": "", "/covered/in": "mode=700", "/new": "" } });
  expect(shown.map(({ options }) => options?.filter((option) => option.startsWith("mode=")))).toEqual([
    ["mode=1750"],
    [],
    ["mode=700"],
  ]);
});

test("an empty volume is filled from the image, once, with owners, modes and links as they are", async () => {
  const image = join(rootfs, "srv/data");
  mkdirSync(image, { recursive: true });
  writeFileSync(join(image, "file"), "from image");
  chownSync(join(image, "file"), 33, 44);
  symlinkSync("/etc/passwd", join(image, "link"));
  chmodSync(image, 0o1777);
  chownSync(image, 5, 6);
  // The image's own absolute link to it, which leads nowhere on the host.
  symlinkSync("/srv", join(rootfs, "alias"));
  const [spec] = await start({ Binds: ["vol:/alias/data"] });
  const target = spec?.source ?? "";
  expect(readFileSync(join(target, "file"), "utf8")).toBe("from image");
  expect(lstatSync(join(target, "file"))).toMatchObject({ uid: 33, gid: 44 });
  expect(readlinkSync(join(target, "link"))).toBe("/etc/passwd");
  expect(statSync(target)).toMatchObject({ uid: 5, gid: 6, mode: 0o041777 });
  writeFileSync(join(target, "file"), "changed");
  await start({ Binds: ["vol:/alias/data"] });
  expect(readFileSync(join(target, "file"), "utf8")).toBe("changed");
});

test("a shared volume is filled in place; nocopy is not filled; an empty directory gives its owner and mode", async () => {
  mkdirSync(join(rootfs, "d"));
  chownSync(join(rootfs, "d"), 7, 8);
  const [empty] = await start({ Binds: ["empty:/d"] });
  expect(statSync(empty?.source ?? "")).toMatchObject({ uid: 7, gid: 8 });
  writeFileSync(join(rootfs, "d/file"), "x");
  const [none] = await start({ Binds: ["none:/d:nocopy"] });
  expect(() => statSync(join(none?.source ?? "", "file"))).toThrow("ENOENT");
  users.set("shared", ["c0", "c1"]);
  const planned = await plan({ Binds: ["shared:/d"] });
  const inode = statSync(planned[0]?.source ?? "").ino;
  await mounts.toSpecMounts(planned, rootfs, "c1");
  expect(statSync(planned[0]?.source ?? "").ino).toBe(inode);
  expect(statSync(join(planned[0]?.source ?? "", "file")).isFile()).toBe(true);
});

test("a volume cannot lie over a file of the image", async () => {
  writeFileSync(join(rootfs, "file"), "");
  await expect(start({ Binds: ["vol:/file"] })).rejects.toThrow("cannot mount volume over existing file, file exists");
});

test("a mount inside /proc is refused, but for the files that LXCFS covers", async () => {
  await expect(start({ Binds: ["vol:/proc/sys"] })).rejects.toThrow("cannot be mounted because it is inside /proc");
  const [spec] = await start({ Binds: [`${rootfs}:/proc/meminfo`] });
  expect(spec?.destination).toBe("/proc/meminfo");
});

test("a bind that is not recursive has no recursive option, which crun would take for one", async () => {
  const Mounts = [{ Type: "bind" as const, Source: rootfs, Target: "/b", BindOptions: { NonRecursive: true } }];
  const [spec] = await start({ Mounts });
  expect(spec?.options).toEqual(["bind", "private"]);
});

test("a subpath is pinned inside its volume and released again", async () => {
  const Mounts = [{ Type: "volume" as const, Source: "vol", Target: "/s", VolumeOptions: { Subpath: "in/side" } }];
  const planned = await plan({ Mounts });
  await expect(mounts.toSpecMounts(planned, rootfs, "c1")).rejects.toThrow("cannot access path");
  const data = planned[0]?.source ?? "";
  mkdirSync(join(data, "real/side"), { recursive: true });
  writeFileSync(join(data, "real/side/file"), "inside");
  symlinkSync("real", join(data, "in"));
  const [spec] = await mounts.toSpecMounts(planned, rootfs, "c1");
  expect(readFileSync(join(spec?.source ?? "", "file"), "utf8")).toBe("inside");
  await mounts.release(planned, "c1");
  await mounts.release(planned, "c1");
  expect(readMountInfo().filter((mount) => mount.mountPoint.startsWith(directory))).toEqual([]);
});

test("a subpath whose links lead outside is refused, absolute ones as well", async () => {
  const subpath = (Subpath: string) =>
    plan({ Mounts: [{ Type: "volume", Source: "vol", Target: "/s", VolumeOptions: { Subpath } }] });
  const [first] = await subpath("root");
  symlinkSync("/", join(first?.source ?? "", "root"));
  symlinkSync("root", join(first?.source ?? "", "again"));
  symlinkSync("../..", join(first?.source ?? "", "above"));
  for (const name of ["root", "again", "above"]) {
    await expect(mounts.toSpecMounts(await subpath(name), rootfs, "c1")).rejects.toThrow(
      `path concatenation escapes the base directory, base: ${first?.source}, subpath: ${name}`,
    );
  }
});

test("an empty subpath is filled from the image, and nothing else of the volume", async () => {
  mkdirSync(join(rootfs, "bin"));
  writeFileSync(join(rootfs, "bin/tool"), "");
  const Mounts = [{ Type: "volume" as const, Source: "vol", Target: "/bin", VolumeOptions: { Subpath: "sub" } }];
  const planned = await plan({ Mounts });
  const data = planned[0]?.source ?? "";
  await expect(mounts.toSpecMounts(planned, rootfs, "c1")).rejects.toThrow("cannot access path");
  expect(readdirSync(data)).toEqual([]);
  mkdirSync(join(data, "sub"));
  await mounts.toSpecMounts(planned, rootfs, "c1");
  expect([readdirSync(data), readdirSync(join(data, "sub"))]).toEqual([["sub"], ["tool"]]);
  await mounts.release(planned, "c1");
  expect(readMountInfo().filter((mount) => mount.mountPoint.startsWith(directory))).toEqual([]);
});

test("a slave or shared bind needs a source that has peers", async () => {
  const holder = readMountInfo().filter((mount) => `${directory}/`.startsWith(mount.mountPoint.replace(/\/?$/, "/")));
  if (holder.some((mount) => mount.propagation.length > 0)) return;
  await expect(start({ Binds: [`${rootfs}:/r:rshared`] })).rejects.toThrow("but it is not a shared mount");
  await expect(start({ Binds: [`${rootfs}:/r:rslave`] })).rejects.toThrow("but it is not a shared or slave mount");
  // Chosen by the engine, not by the user: private will do.
  expect((await start({ Binds: [`${directory}:/r`] }))[0]?.options).toEqual(["rbind", "rprivate"]);
});

test("volumes that a failed plan made without a name are removed, named ones stay", async () => {
  await expect(plan({ Binds: ["named:/n", "/anonymous", "bad:/n"] })).rejects.toThrow("Duplicate mount point: /n");
  await Bun.sleep(20);
  expect(events.map(({ action }) => action)).toEqual(["create", "create", "destroy"]);
  const planned = await plan({ Binds: ["named:/n"] }, { "/x": {} });
  await mounts.removeAnonymous(planned);
  expect(events.filter(({ action }) => action === "destroy")).toHaveLength(2);
  expect(events.filter(({ action, id }) => action === "destroy" && id === "named")).toEqual([]);
});
