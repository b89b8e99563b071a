/** Usage of one cgroup as the Engine API shows it, derived from v1 and v2 files the way dockerd and containerd do. */
import { readFileSync } from "node:fs";
import type { BlkioEntry, BlkioStats, ContainerStats, CpuStats, MemoryStats } from "../../api/stats.ts";
import { type CgroupLayout, cgroupDirectory, readIfThere } from "./cgroups.ts";

export type CgroupStats = Pick<ContainerStats, "cpu_stats" | "memory_stats" | "pids_stats" | "blkio_stats">;

/** Kernel ticks (USER_HZ) are 100 per second on every architecture that containers run on. */
const nanosPerTick = 10_000_000;

/** Reads everything now. What a cgroup does not have (its controller is off, it is gone) is left out or 0. */
export function readCgroupStats(layout: CgroupLayout, path: string, machineMemory: number): CgroupStats {
  const reader = new CgroupReader(layout, path);
  const v2 = layout.cgroupMode === "v2";
  const cpu = v2 ? cpuV2(reader) : cpuV1(reader);
  return {
    cpu_stats: { ...cpu, ...systemCpu(readFileSync("/proc/stat", "utf8")) },
    memory_stats: capped(v2 ? memoryV2(reader) : memoryV1(reader), machineMemory),
    pids_stats: pids(reader),
    blkio_stats: v2 ? blkioV2(reader) : blkioV1(reader),
  };
}

/** Files of one cgroup, by controller. */
class CgroupReader {
  private readonly layout: CgroupLayout;
  private readonly path: string;

  constructor(layout: CgroupLayout, path: string) {
    this.layout = layout;
    this.path = path;
  }

  text(controller: string, file: string): string | undefined {
    const directory = cgroupDirectory(this.layout, controller, this.path);
    return directory === undefined ? undefined : readIfThere(`${directory}/${file}`);
  }

  /** `max` is Infinity. */
  number(controller: string, file: string): number | undefined {
    const text = this.text(controller, file)?.trim();
    if (text === undefined || text === "") return undefined;
    return text === "max" ? Number.POSITIVE_INFINITY : Number(text);
  }

  /** Lines `key value`. */
  table(controller: string, file: string): Record<string, number> {
    return parseTable(this.text(controller, file) ?? "");
  }
}

function parseTable(text: string): Record<string, number> {
  const table: Record<string, number> = {};
  for (const line of text.split("\n")) {
    const at = line.indexOf(" ");
    if (at > 0) table[line.slice(0, at)] = Number(line.slice(at + 1));
  }
  return table;
}

/** Nanoseconds that all CPUs of the host spent, and how many there are. */
export function systemCpu(procStat: string): { system_cpu_usage: number; online_cpus: number } {
  const lines = procStat.split("\n");
  // Seven fields, user to softirq: steal and guest time are in none or in user.
  const ticks = (lines[0] ?? "").split(/\s+/).slice(1, 8).map(Number);
  const total = ticks.reduce((sum, value) => sum + value, 0);
  const cpus = lines.filter((line) => /^cpu\d/.test(line)).length;
  return { system_cpu_usage: total * nanosPerTick, online_cpus: cpus };
}

function cpuV1(reader: CgroupReader): CpuStats {
  const percpu = reader.text("cpuacct", "cpuacct.usage_percpu")?.trim().split(/\s+/).map(Number);
  const ticks = reader.table("cpuacct", "cpuacct.stat");
  const throttled = reader.table("cpu", "cpu.stat");
  return {
    cpu_usage: {
      total_usage: reader.number("cpuacct", "cpuacct.usage") ?? 0,
      ...(percpu === undefined ? {} : { percpu_usage: percpu }),
      usage_in_kernelmode: (ticks["system"] ?? 0) * nanosPerTick,
      usage_in_usermode: (ticks["user"] ?? 0) * nanosPerTick,
    },
    throttling_data: {
      periods: throttled["nr_periods"] ?? 0,
      throttled_periods: throttled["nr_throttled"] ?? 0,
      throttled_time: throttled["throttled_time"] ?? 0,
    },
  };
}

function cpuV2(reader: CgroupReader): CpuStats {
  const stat = reader.table("cpu", "cpu.stat");
  const nanos = (key: string) => (stat[key] ?? 0) * 1000;
  return {
    cpu_usage: {
      total_usage: nanos("usage_usec"),
      usage_in_kernelmode: nanos("system_usec"),
      usage_in_usermode: nanos("user_usec"),
    },
    throttling_data: {
      periods: stat["nr_periods"] ?? 0,
      throttled_periods: stat["nr_throttled"] ?? 0,
      throttled_time: nanos("throttled_usec"),
    },
  };
}

const memoryKeysV1 = new Set(
  "cache rss rss_huge mapped_file dirty writeback pgpgin pgpgout pgfault pgmajfault inactive_anon active_anon inactive_file active_file unevictable"
    .split(" ")
    .flatMap((key) => [key, `total_${key}`])
    .concat("hierarchical_memory_limit", "hierarchical_memsw_limit"),
);

const memoryKeysV2 = new Set(
  "anon file kernel_stack slab sock shmem file_mapped file_dirty file_writeback anon_thp inactive_anon active_anon inactive_file active_file unevictable slab_reclaimable slab_unreclaimable pgfault pgmajfault workingset_refault workingset_activate workingset_nodereclaim pgrefill pgscan pgsteal pgactivate pgdeactivate pglazyfree pglazyfreed thp_fault_alloc thp_collapse_alloc".split(
    " ",
  ),
);

function memoryV1(reader: CgroupReader): MemoryStats {
  const usage = reader.number("memory", "memory.usage_in_bytes");
  if (usage === undefined) return {};
  const failcnt = reader.number("memory", "memory.failcnt") ?? 0;
  return {
    usage,
    max_usage: reader.number("memory", "memory.max_usage_in_bytes") ?? 0,
    stats: only(reader.table("memory", "memory.stat"), memoryKeysV1),
    ...(failcnt > 0 ? { failcnt } : {}),
    limit: reader.number("memory", "memory.limit_in_bytes") ?? Number.POSITIVE_INFINITY,
  };
}

function memoryV2(reader: CgroupReader): MemoryStats {
  const usage = reader.number("memory", "memory.current");
  if (usage === undefined) return {};
  const failcnt = reader.table("memory", "memory.events")["oom"] ?? 0;
  return {
    usage,
    stats: only(reader.table("memory", "memory.stat"), memoryKeysV2),
    ...(failcnt > 0 ? { failcnt } : {}),
    limit: reader.number("memory", "memory.max") ?? Number.POSITIVE_INFINITY,
  };
}

/** Without a limit of its own, a container is limited by the machine. */
function capped(stats: MemoryStats, machineMemory: number): MemoryStats {
  return stats.limit === undefined ? stats : { ...stats, limit: Math.min(stats.limit, machineMemory) };
}

function only(table: Record<string, number>, keys: Set<string>): Record<string, number> {
  return Object.fromEntries(Object.entries(table).filter(([key]) => keys.has(key)));
}

/** Go's largest uint64, which dockerd shows for no limit. */
const unlimitedPids = 2 ** 64;

function pids(reader: CgroupReader): ContainerStats["pids_stats"] {
  const current = reader.number("pids", "pids.current");
  if (current === undefined) return {};
  const limit = reader.number("pids", "pids.max") ?? 0;
  return { current, limit: Number.isFinite(limit) ? limit : unlimitedPids };
}

const noBlkio: BlkioStats = {
  io_service_bytes_recursive: [],
  io_serviced_recursive: [],
  io_queue_recursive: [],
  io_service_time_recursive: [],
  io_wait_time_recursive: [],
  io_merged_recursive: [],
  io_time_recursive: [],
  sectors_recursive: [],
};

function blkioV1(reader: CgroupReader): BlkioStats {
  const entries = (name: string) => {
    const throttle = `blkio.throttle.${name}`;
    return parseBlkio(reader.text("blkio", `${throttle}_recursive`) ?? reader.text("blkio", throttle) ?? "");
  };
  return {
    ...noBlkio,
    io_service_bytes_recursive: entries("io_service_bytes"),
    io_serviced_recursive: entries("io_serviced"),
  };
}

/** `8:0 Read 4096`; the line of all devices together has no device. */
export function parseBlkio(text: string): BlkioEntry[] {
  return [...text.matchAll(/^(\d+):(\d+) (\w+) (\d+)$/gm)].map(([, major, minor, op = "", value]) => ({
    major: Number(major),
    minor: Number(minor),
    op,
    value: Number(value),
  }));
}

function blkioV2(reader: CgroupReader): BlkioStats {
  const lines = reader.text("io", "io.stat") ?? "";
  const entries = [...lines.matchAll(/^(\d+):(\d+) (.*)$/gm)].flatMap(([, major, minor, rest = ""]) => {
    const device = { major: Number(major), minor: Number(minor) };
    const value = (key: string) => Number(new RegExp(`${key}=(\\d+)`).exec(rest)?.[1] ?? 0);
    return [
      { ...device, op: "read", value: value("rbytes") },
      { ...device, op: "write", value: value("wbytes") },
    ];
  });
  return {
    io_service_bytes_recursive: entries,
    io_serviced_recursive: null,
    io_queue_recursive: null,
    io_service_time_recursive: null,
    io_wait_time_recursive: null,
    io_merged_recursive: null,
    io_time_recursive: null,
    sectors_recursive: null,
  };
}
