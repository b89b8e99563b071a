import { describe, expect, test } from "bun:test";
import type { ContainerConfig, HostConfig, Mount } from "../../../api/container-config.ts";
import { type MountPlan, toMountPoints } from "./mount-plan.ts";
import { planMounts } from "./plan-mounts.ts";

/** Plans against volumes that exist in memory only. */
function plan(hostConfig: HostConfig, config: ContainerConfig = {}, from: MountPlan[] = []): Promise<MountPlan[]> {
  let count = 0;
  const volumes = {
    ensure: async ({ name, labels = null }: { name?: string; labels?: Record<string, string> | null }) => ({
      name: name || `anonymous${count++}`,
      driver: "local" as const,
      labels,
      createdAt: "",
    }),
    imagePath: (key: string) => `/data/snapshots/${key}/merged`,
    dataPath: (name: string) => `/data/volumes/${name}/_data`,
  };
  const input = {
    containerId: "c1",
    config,
    hostConfig,
    imageVolumes: [],
    resolveImage: () => ({ id: "sha256:i", layers: ["sha256:a"] }),
    volumesFrom: () => from,
  };
  return planMounts(volumes, "/data", input, []);
}

const show = async (...args: Parameters<typeof plan>) => toMountPoints(await plan(...args));

test("inspect shows mounts as dockerd 28.5 does", async () => {
  const shown = await show(
    {
      Binds: ["anon:/v", "/usr:/ro:ro", "subv:/c:ro,nocopy", "/usr:/d:rslave", "/usr:/e:z", "/anonb"],
      Mounts: [{ Type: "tmpfs", Target: "/mt", TmpfsOptions: { SizeBytes: 1048576 } }],
      Tmpfs: { "/t": "" },
    },
    { Volumes: { "/anonv": {}, "/t": {}, "/v/": {} } },
  );
  const volume = (name: string, rest: object) => ({
    Type: "volume",
    Name: name,
    Source: `/data/volumes/${name}/_data`,
    Driver: "local",
    RW: true,
    Propagation: "",
    ...rest,
  });
  const bind = (rest: object) => ({ Type: "bind", Source: "/usr", RW: true, Propagation: "rprivate", ...rest });
  expect(shown).toEqual([
    volume("anon", { Destination: "/v", Mode: "z" }),
    bind({ Destination: "/ro", Mode: "ro", RW: false }),
    volume("subv", { Destination: "/c", Mode: "ro,nocopy", RW: false }),
    bind({ Destination: "/d", Mode: "rslave", Propagation: "rslave" }),
    bind({ Destination: "/e", Mode: "z" }),
    volume("anonymous0", { Destination: "/anonb", Mode: "z" }),
    { Type: "tmpfs", Source: "", Destination: "/mt", Mode: "", RW: true, Propagation: "" },
    volume("anonymous1", { Destination: "/anonv", Mode: "" }),
  ] as never);
});

test("an image mount is read-only and has a snapshot of its own, also when it is another container's", async () => {
  const Mounts: Mount[] = [{ Type: "image", Source: "bb:1", Target: "/i", ImageOptions: { Subpath: "etc" } }];
  expect(await show({ Mounts })).toEqual([
    {
      Type: "image",
      Name: "bb:1",
      Source: "/data/snapshots/c1-image-0/merged",
      Destination: "/i",
      Mode: "",
      RW: false,
      Propagation: "rprivate",
    },
  ] as never);
  const first = (await plan({ Mounts }))[0] as MountPlan;
  const other = { ...first, image: { name: "bb:1", key: "c0-image-0", layers: ["sha256:a"] } };
  const [taken] = await plan({ VolumesFrom: ["other"] }, {}, [other]);
  expect(taken).toMatchObject({ rw: false, image: { key: "c1-image-0", layers: ["sha256:a"] } });
});

test("what shows the engine's own data is a slave, unless the user says what cannot be", async () => {
  expect((await show({ Binds: ["/:/r"] }))[0]).toMatchObject({ Propagation: "rslave", Mode: "" });
  await expect(plan({ Binds: ["/:/r:rprivate"] })).rejects.toThrow(
    'invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within the daemon root, daemon root: "/data", bind mount source: "/", propagation: "rprivate"',
  );
});

test("volumes from another container lose nothing but the copy, and :ro makes them read-only", async () => {
  const [first] = await plan({ Binds: ["data:/d"] });
  const [taken] = await plan({ VolumesFrom: ["other:ro"] }, {}, [first as MountPlan]);
  expect(taken).toEqual({ ...(first as MountPlan), mode: "", rw: false, copyData: false });
});

/** Messages recorded from dockerd 28.5. */
describe("what is refused", () => {
  const subject = (raw: string, reason: string) => `invalid volume specification: '${raw}'${reason}`;
  const binds: [string, string][] = [
    ["", subject("", "")],
    [":", subject(":", "")],
    [
      "aa",
      subject("aa", `: invalid mount config for type "volume": invalid mount path: 'aa' mount path must be absolute`),
    ],
    ["aa:", subject("aa:", "")],
    [":b", subject(":b", "")],
    [
      "/a:b",
      subject("/a:b", `: invalid mount config for type "bind": invalid mount path: 'b' mount path must be absolute`),
    ],
    [
      "/a:/",
      subject("/a:/", `: invalid mount config for type "bind": invalid specification: destination can't be '/'`),
    ],
    ["aa:/b:xx", "invalid mode: xx"],
    ["aa:/b:ro,rw", "invalid mode: ro,rw"],
    ["aa:/b:z,Z", "invalid mode: z,Z"],
    ["/a:/b:rshared,rslave", "invalid mode: rshared,rslave"],
    ["/a:/b:rro", "invalid mode: rro"],
    [
      "aa:/b:rshared",
      subject("aa:/b:rshared", `: invalid mount config for type "volume": field BindOptions must not be specified`),
    ],
    [
      "/a:/b:nocopy",
      subject("/a:/b:nocopy", `: invalid mount config for type "bind": field VolumeOptions must not be specified`),
    ],
    ["/a:/b:c:d", subject("/a:/b:c:d", "")],
    ["/a:rw", subject("/a:rw", "")],
    ["/a\0b:/c", subject("/a\0b:/c", "")],
    ["/a:/c\0d", subject("/a:/c\0d", "")],
  ];
  test.each(binds)("-v %s", async (raw, message) => {
    await expect(plan({ Binds: [raw] })).rejects.toThrow(message);
  });

  const invalid = (type: string, reason: string) => `invalid mount config for type "${type}": ${reason}`;
  const mounts: [Mount, string][] = [
    [{}, invalid("", "field Target must not be empty")],
    [{ Type: "x" as never, Target: "/a" }, invalid("x", "mount type unknown")],
    [{ Type: "npipe", Source: "x", Target: "/a" }, invalid("npipe", "mount type unknown")],
    [{ Type: "bind", Target: "/a" }, invalid("bind", "field Source must not be empty")],
    [{ Type: "bind", Source: "/no/such", Target: "/a" }, invalid("bind", "bind source path does not exist: /no/such")],
    [
      { Type: "bind", Source: "a", Target: "/a" },
      invalid("bind", "invalid mount path: 'a' mount path must be absolute"),
    ],
    [{ Type: "bind", Source: "/usr", Target: "/" }, invalid("bind", "invalid specification: destination can't be '/'")],
    [
      { Type: "bind", Source: "/usr", Target: "/a", BindOptions: { Propagation: "x" } },
      invalid("bind", "invalid propagation mode: x"),
    ],
    [
      { Type: "bind", Source: "/usr", Target: "/a", VolumeOptions: {} },
      'VolumeOptions must not be specified on mount type "bind"',
    ],
    [
      { Type: "volume", Source: "x", Target: "/a", BindOptions: {} },
      'BindOptions must not be specified on mount type "volume"',
    ],
    [
      { Type: "volume", Target: "/a", ReadOnly: true },
      invalid("volume", "must not set ReadOnly mode when using anonymous volumes"),
    ],
    [
      { Type: "volume", Source: "xx", Target: "/a", VolumeOptions: { Subpath: "../x" } },
      invalid("volume", "subpath must be a relative path within the volume"),
    ],
    [
      { Type: "volume", Target: "/a", VolumeOptions: { Subpath: "x" } },
      invalid("volume", "must not set Subpath when using anonymous volumes"),
    ],
    [{ Type: "tmpfs", Target: "/a", Source: "x" }, invalid("tmpfs", "field Source must not be specified")],
    [
      { Type: "tmpfs", Target: "/a", TmpfsOptions: { Options: [["bogus"]] } },
      invalid("tmpfs", "invalid option: bogus"),
    ],
    [
      { Type: "image", Source: "bb", Target: "/a", BindOptions: {} },
      'BindOptions must not be specified on mount type "image"',
    ],
    [
      { Type: "volume", Source: "xx", Target: "/a", VolumeOptions: { Subpath: "x\0y" } },
      invalid("volume", "a path holds a NUL byte"),
    ],
    [{ Type: "image", Target: "/a" }, invalid("image", "field Source must not be empty")],
    [
      { Type: "image", Source: "bb", Target: "/a", ImageOptions: { Subpath: "../x" } },
      invalid("image", "subpath must be a relative path within the volume"),
    ],
  ];
  test.each(mounts)("--mount %j", async (mount, message) => {
    await expect(plan({ Mounts: [mount] })).rejects.toThrow(message);
  });

  test.each([
    [{ Binds: ["aa:/b", "cc:/b/"] }, "Duplicate mount point: /b"],
    [{ Binds: ["aa:/b"], Tmpfs: { "/b": "" } }, "Duplicate mount point: /b"],
    [
      { Binds: ["aa:/b"], Mounts: [{ Type: "volume" as const, Source: "x", Target: "/b" }] },
      "Duplicate mount point: /b",
    ],
    [{ VolumesFrom: [""] }, "volumes-from specification cannot be an empty string"],
    [{ VolumesFrom: ["base:xx"] }, "invalid mode: xx"],
    [{ VolumesFrom: ["base:nocopy"] }, "invalid mode: nocopy"],
    [{ VolumesFrom: ["base:rshared"] }, "invalid mode: rshared"],
  ])("%j", async (hostConfig, message) => {
    await expect(plan(hostConfig)).rejects.toThrow(message);
  });
});
