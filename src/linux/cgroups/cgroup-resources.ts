/** Changing the limits of a running container by writing its cgroup's files: a plan of writes per cgroup mode, then the writes. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorMessage, internal } from "../../base/errors.ts";
import type { BlockIoResources, CpuResources, LinuxResources, MemoryResources } from "../../oci/runtime-spec.ts";
import { type CgroupLayout, cgroupDirectory } from "./cgroups.ts";

export interface CgroupWrite {
  controller: string;
  file: string;
  value: string;
}

/** Reads a file of the cgroup as it is now; undefined when it is not there. */
export type ReadCurrent = (controller: string, file: string) => string | undefined;

/** Writes the limits that are set in `resources`, in an order the kernel accepts. Throws naming the file that refused. */
export function applyResources(layout: CgroupLayout, path: string, resources: LinuxResources): void {
  const fileOf = (controller: string, file: string) => {
    const directory = cgroupDirectory(layout, controller, path);
    return directory === undefined ? undefined : join(directory, file);
  };
  const current: ReadCurrent = (controller, file) => {
    const target = fileOf(controller, file);
    return target !== undefined && existsSync(target) ? readFileSync(target, "utf8").trim() : undefined;
  };
  for (const { controller, file, value } of planResources(layout, resources, current)) {
    const target = fileOf(controller, file);
    if (target === undefined) throw internal(`the ${controller} cgroup controller is not mounted`);
    try {
      writeFileSync(target, value);
    } catch (cause) {
      throw internal(`failed to write ${JSON.stringify(value)}: ${errorMessage(cause)}`, { cause });
    }
  }
}

/** Pure but for `current`: what to write, in order. */
export function planResources(layout: CgroupLayout, resources: LinuxResources, current: ReadCurrent): CgroupWrite[] {
  const { memory = {}, cpu = {}, pids, blockIO = {} } = resources;
  const limit = pids === undefined ? [] : [write("pids", "pids.max", pids.limit < 0 ? "max" : pids.limit)];
  return layout.cgroupMode === "v2"
    ? [...memoryV2(memory, current), ...cpuV2(cpu, current), ...cpuset(cpu), ...limit, ...blockIoV2(blockIO, current)]
    : [...memoryV1(memory, current), ...cpuV1(cpu, current), ...cpuset(cpu), ...limit, ...blockIoV1(blockIO, current)];
}

function memoryV1(memory: MemoryResources, current: ReadCurrent): CgroupWrite[] {
  const { limit, reservation, swappiness } = memory;
  // Memory without a limit cannot have one with swap.
  const swap = memory.swap ?? (limit === -1 ? -1 : undefined);
  const both = [
    ...(limit === undefined ? [] : [write("memory", "memory.limit_in_bytes", limit)]),
    ...(swap === undefined ? [] : [write("memory", "memory.memsw.limit_in_bytes", swap)]),
  ];
  // At no time may memory be above memory and swap: growing starts with the larger.
  const now = Number(current("memory", "memory.memsw.limit_in_bytes") ?? Number.POSITIVE_INFINITY);
  const grows = swap === -1 || (swap ?? 0) > now;
  return [
    ...(grows ? both.reverse() : both),
    ...(reservation === undefined ? [] : [write("memory", "memory.soft_limit_in_bytes", reservation)]),
    ...(memory.kernelTCP === undefined ? [] : [write("memory", "memory.kmem.tcp.limit_in_bytes", memory.kernelTCP)]),
    ...(swappiness === undefined ? [] : [write("memory", "memory.swappiness", swappiness)]),
    ...(memory.disableOOMKiller === undefined
      ? []
      : [write("memory", "memory.oom_control", memory.disableOOMKiller ? 1 : 0)]),
  ];
}

function memoryV2({ limit, swap, reservation }: MemoryResources, current: ReadCurrent): CgroupWrite[] {
  const max = (value: number) => (value < 0 ? "max" : value);
  // Docker counts swap together with memory, v2 by itself.
  const known = limit ?? Number(current("memory", "memory.max"));
  const swapAlone = swap === undefined || swap < 0 ? swap : swap - (Number.isFinite(known) ? known : 0);
  return [
    ...(swapAlone === undefined || !current("memory", "memory.swap.max")
      ? []
      : [write("memory", "memory.swap.max", max(swapAlone))]),
    ...(limit === undefined ? [] : [write("memory", "memory.max", max(limit))]),
    ...(reservation === undefined ? [] : [write("memory", "memory.low", max(reservation))]),
  ];
}

function cpuV1(cpu: CpuResources, current: ReadCurrent): CgroupWrite[] {
  const period = cpu.period === undefined ? [] : [write("cpu", "cpu.cfs_period_us", cpu.period)];
  const quota = cpu.quota === undefined ? [] : [write("cpu", "cpu.cfs_quota_us", cpu.quota)];
  // The kernel refuses a share of the period above the parent's at any moment: a longer period comes first, a shorter last.
  const longer = (cpu.period ?? 0) >= Number(current("cpu", "cpu.cfs_period_us") ?? 0);
  return [
    ...(cpu.shares === undefined ? [] : [write("cpu", "cpu.shares", cpu.shares)]),
    ...(longer ? [...period, ...quota] : [...quota, ...period]),
    ...(cpu.realtimePeriod === undefined ? [] : [write("cpu", "cpu.rt_period_us", cpu.realtimePeriod)]),
    ...(cpu.realtimeRuntime === undefined ? [] : [write("cpu", "cpu.rt_runtime_us", cpu.realtimeRuntime)]),
  ];
}

function cpuV2({ shares, quota, period }: CpuResources, current: ReadCurrent): CgroupWrite[] {
  const [nowQuota = "max", nowPeriod = "100000"] = (current("cpu", "cpu.max") ?? "max 100000").split(" ");
  const limited = quota !== undefined || period !== undefined;
  const wanted = quota === undefined ? nowQuota : quota > 0 ? quota : "max";
  return [
    ...(shares === undefined ? [] : [write("cpu", "cpu.weight", sharesToWeight(shares))]),
    ...(limited ? [write("cpu", "cpu.max", `${wanted} ${period ?? nowPeriod}`)] : []),
  ];
}

/** v1's 2–262144 → v2's 1–10000, linear, as runc and crun have it. */
export function sharesToWeight(shares: number): number {
  return shares === 0 ? 100 : 1 + Math.floor(((Math.min(Math.max(shares, 2), 262_144) - 2) * 9999) / 262_142);
}

function cpuset({ cpus, mems }: CpuResources): CgroupWrite[] {
  return [
    ...(cpus === undefined ? [] : [write("cpuset", "cpuset.cpus", cpus)]),
    ...(mems === undefined ? [] : [write("cpuset", "cpuset.mems", mems)]),
  ];
}

function blockIoV1({ weight }: BlockIoResources, current: ReadCurrent): CgroupWrite[] {
  if (weight === undefined) return [];
  // The kernel with only BFQ calls it so.
  const file = current("blkio", "blkio.weight") === undefined ? "blkio.bfq.weight" : "blkio.weight";
  return [write("blkio", file, weight)];
}

function blockIoV2({ weight }: BlockIoResources, current: ReadCurrent): CgroupWrite[] {
  if (weight === undefined) return [];
  if (current("io", "io.bfq.weight") !== undefined) return [write("io", "io.bfq.weight", weight)];
  // v1's 10–1000 → v2's 1–10000.
  return [write("io", "io.weight", 1 + Math.floor(((weight - 10) * 9999) / 990))];
}

function write(controller: string, file: string, value: string | number): CgroupWrite {
  return { controller, file, value: String(value) };
}
