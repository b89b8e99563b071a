import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseMountInfoLine } from "../mounts/mount.ts";
import { applyResources, planResources, sharesToWeight } from "./cgroup-resources.ts";
import { parseBlkio, readCgroupStats, systemCpu } from "./cgroup-stats.ts";
import {
  cgroupDirectories,
  cgroupPids,
  freeze,
  oomKillCount,
  readCgroupLayout,
  removeCgroup,
  thaw,
} from "./cgroups.ts";

const layout = readCgroupLayout();
const roots = [...new Set([...Object.values(layout.cgroupControllers), layout.cgroupUnified ?? ""])].filter(Boolean);
let path: string;
let child: ReturnType<typeof Bun.spawn>;

beforeEach(() => {
  path = `/gantry-test-${process.pid}-${Math.random().toString(36).slice(2)}/c1`;
  for (const root of roots) mkdirSync(join(root, path), { recursive: true });
  // A cpuset of v1 takes no process before it has both.
  const cpuset = layout.cgroupControllers["cpuset"];
  if (layout.cgroupMode !== "v2" && cpuset !== undefined) {
    for (const directory of [join(cpuset, path, ".."), join(cpuset, path)]) {
      writeFileSync(join(directory, "cpuset.cpus"), readFileSync(join(cpuset, "cpuset.cpus")));
      writeFileSync(join(directory, "cpuset.mems"), readFileSync(join(cpuset, "cpuset.mems")));
    }
  }
  child = Bun.spawn(["sleep", "60"], { stdin: "ignore", stdout: "ignore" });
  for (const root of roots) writeFileSync(join(root, path, "cgroup.procs"), String(child.pid));
});

afterEach(async () => {
  child.kill("SIGKILL");
  await child.exited;
  await removeCgroup(layout, join(path, ".."));
});

test("a cgroup is listed, frozen, thawed, and removed with what is in it and below it", async () => {
  expect(cgroupPids(layout, path)).toEqual([child.pid]);
  expect(cgroupPids(layout, `../..${path}`)).toEqual([child.pid]);
  await freeze(layout, path);
  child.kill("SIGTERM");
  await Bun.sleep(20);
  expect(child.exitCode).toBeNull();
  await thaw(layout, path);
  expect(await child.exited).not.toBe(0);

  for (const root of roots) mkdirSync(join(root, path, "nested/deep"), { recursive: true });
  child = Bun.spawn(["sleep", "60"], { stdin: "ignore", stdout: "ignore" });
  const pids = layout.cgroupMode === "v2" ? layout.cgroupUnified : layout.cgroupControllers["pids"];
  writeFileSync(join(pids ?? "", path, "nested/deep/cgroup.procs"), String(child.pid));
  await removeCgroup(layout, path);
  expect(cgroupDirectories(layout, path)).toEqual([]);
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");
  await removeCgroup(layout, path);
  expect(cgroupPids(layout, path)).toEqual([]);
  expect(oomKillCount(layout, path)).toBe(0);
});

test("the root of the hierarchies is never removed", async () => {
  for (const wrong of ["", "/", "/a/../..", "../.."])
    await expect(removeCgroup(layout, wrong)).rejects.toThrow("refusing");
});

test("limits are applied up and down, and stats show them", async () => {
  const stats = () => readCgroupStats(layout, path, 8 * 2 ** 30);
  applyResources(layout, path, {
    memory: { limit: 40 << 20, swap: 80 << 20 },
    pids: { limit: 30 },
    cpu: { shares: 512 },
  });
  expect(stats().memory_stats.limit).toBe(40 << 20);
  applyResources(layout, path, {
    memory: { limit: 200 << 20, swap: 300 << 20 },
    cpu: { quota: 50_000, period: 100_000 },
  });
  expect(stats().memory_stats.limit).toBe(200 << 20);
  applyResources(layout, path, { memory: { limit: 20 << 20, swap: 30 << 20 }, pids: { limit: -1 } });
  const now = stats();
  expect(now.memory_stats.limit).toBe(20 << 20);
  expect(now.pids_stats).toEqual({ current: 1, limit: 2 ** 64 });
  // `sleep` may have used all that it needs before it came into the cgroup.
  await using busy = Bun.spawn(["sh", "-c", "read line; while :; do :; done"], { stdin: "pipe" });
  for (const root of roots) writeFileSync(join(root, path, "cgroup.procs"), String(busy.pid));
  busy.stdin.write("go\n");
  busy.stdin.flush();
  while (stats().cpu_stats.cpu_usage.total_usage === 0) await Bun.sleep(5);
  expect(now.cpu_stats.system_cpu_usage).toBeGreaterThan(stats().cpu_stats.cpu_usage.total_usage);
  expect(() => applyResources(layout, path, { pids: { limit: 2 ** 60 } })).toThrow("failed to write");
});

describe("v2", () => {
  const v2 = { cgroupMode: "v2" as const, cgroupControllers: {}, cgroupUnified: "/sys/fs/cgroup" };

  test("limits take v2's own units and words", () => {
    const current = (_: string, file: string) => ({ "cpu.max": "max 100000", "memory.swap.max": "max" })[file];
    const writes = planResources(
      v2,
      {
        memory: { limit: 100, swap: 150, reservation: 50 },
        cpu: { shares: 1024, quota: 5000, cpus: "0-1" },
        pids: { limit: -1 },
        blockIO: { weight: 500 },
      },
      current,
    );
    expect(writes.map(({ file, value }) => `${file}=${value}`)).toEqual([
      "memory.swap.max=50",
      "memory.max=100",
      "memory.low=50",
      "cpu.weight=39",
      "cpu.max=5000 100000",
      "cpuset.cpus=0-1",
      "pids.max=max",
      "io.weight=4950",
    ]);
    expect([2, 1024, 262_144].map(sharesToWeight)).toEqual([1, 39, 10_000]);
  });

  test("is told from v1 and hybrid by what is mounted", () => {
    const unified = parseMountInfoLine("26 20 0:22 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw");
    const memory = parseMountInfoLine("27 20 0:23 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory");
    const systemd = parseMountInfoLine("28 20 0:24 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd");
    expect(readCgroupLayout([memory, systemd])).toEqual({
      cgroupMode: "v1",
      cgroupControllers: { memory: "/sys/fs/cgroup/memory", "name=systemd": "/sys/fs/cgroup/systemd" },
    });
    expect(readCgroupLayout([unified, memory]).cgroupMode).toBe("hybrid");
    expect(readCgroupLayout([unified]).cgroupMode).toBe("v2");
  });
});

test("system CPU time and block I/O are read as dockerd reads them", () => {
  expect(systemCpu("cpu  63812 0 67128 323443 2773 0 1607 9 9 0\ncpu0 1\ncpu1 1\nintr 1\n")).toEqual({
    system_cpu_usage: 4_587_630_000_000,
    online_cpus: 2,
  });
  expect(parseBlkio("253:0 Read 4096\n253:0 Write 0\nTotal 4096\n")).toEqual([
    { major: 253, minor: 0, op: "Read", value: 4096 },
    { major: 253, minor: 0, op: "Write", value: 0 },
  ]);
});
