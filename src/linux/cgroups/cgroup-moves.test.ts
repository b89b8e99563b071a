import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { ownProcesses } from "./cgroup-moves.ts";
import { type CgroupLayout, readCgroupLayout } from "./cgroups.ts";

const v1: CgroupLayout = {
  cgroupMode: "v1",
  cgroupControllers: { cpu: "/cg/cpu,cpuacct", cpuacct: "/cg/cpu,cpuacct" },
};
const v2: CgroupLayout = { cgroupMode: "v2", cgroupControllers: { cpu: "/cg" }, cgroupUnified: "/cg" };

test.each([
  [v1, "4:cpu,cpuacct:/a/b\n0::/\n", "/cg/cpu,cpuacct/a/b/cgroup.procs"],
  [v1, "5:pids:/x\n4:cpuacct,cpu:/\n", "/cg/cpu,cpuacct/cgroup.procs"],
  [v1, "5:pids:/x\n", undefined],
  [v2, "0::/system.slice/odd:name.service\n", "/cg/system.slice/odd:name.service/cgroup.procs"],
  [v2, "0::/../elsewhere\n", undefined],
])("%o %s", (layout, table, file) => {
  expect(ownProcesses(layout, table)).toBe(file as string);
});

test("this process is in the file that is its own", () => {
  const file = ownProcesses(readCgroupLayout(), readFileSync("/proc/self/cgroup", "utf8")) as string;
  expect(readFileSync(file, "utf8").split("\n")).toContain(`${process.pid}`);
});
