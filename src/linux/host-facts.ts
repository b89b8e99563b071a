/** What this machine and this daemon's own process are able to do. Read once at start; nothing here changes while the daemon runs. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { arch, release, totalmem } from "node:os";
import { errorCode } from "../base/errors.ts";
import { namesOfMask } from "./capabilities.ts";
import { type CgroupLayout, controllerHas, readCgroupLayout } from "./cgroups/cgroups.ts";

export interface Rlimit {
  /** Infinity: no limit. */
  soft: number;
  hard: number;
}

/** What the kernel's cgroups can limit; what Docker calls sysinfo. */
export interface CgroupLimits {
  memory: boolean;
  swap: boolean;
  memoryReservation: boolean;
  oomKillDisable: boolean;
  swappiness: boolean;
  kernelMemoryTcp: boolean;
  cpuShares: boolean;
  cpuQuota: boolean;
  cpuRealtime: boolean;
  cpuset: boolean;
  pids: boolean;
  blkioWeight: boolean;
  blkioWeightDevice: boolean;
  blkioReadBps: boolean;
  blkioWriteBps: boolean;
  blkioReadIops: boolean;
  blkioWriteIops: boolean;
}

export interface HostFacts extends CgroupLayout {
  cpus: number;
  /** `0-3`: what cpuset limits may name. */
  onlineCpus: string;
  onlineMems: string;
  /** Bytes. */
  memory: number;
  /** `uname -r`. */
  kernelRelease: string;
  /** Docker's word: `amd64`, `arm64`, … */
  arch: string;
  /** Names with `CAP_` that this process may hand on. */
  capabilities: string[];
  /** Names with `CAP_` that the kernel knows. */
  knownCapabilities: string[];
  /** `nofile` → this process's own limits. */
  rlimits: Record<string, Rlimit>;
  /** This process's own: children cannot have less without CAP_SYS_RESOURCE. */
  oomScoreAdj: number;
  seccomp: boolean;
  apparmor: boolean;
  selinux: boolean;
  cgroupNamespaces: boolean;
  limits: CgroupLimits;
  /** The processors' directories that tell how hot they were, and so what others compute (GHSA-6fw5-f8r9-fgfm). */
  thermalThrottles: string[];
  /** `net.ipv4.ip_forward` is 1. */
  readonly ipForward: boolean;
}

/** Reads the facts of this machine and process. */
export function readHostFacts(): HostFacts {
  const layout = readCgroupLayout();
  const status = readText("/proc/self/status");
  const lastCapability = Number(readText("/proc/sys/kernel/cap_last_cap") || 40);
  const onlineCpus = rootCpuset(layout, "cpus") || readText("/sys/devices/system/cpu/online") || "0";
  return {
    ...layout,
    cpus: navigator.hardwareConcurrency,
    onlineCpus,
    onlineMems: rootCpuset(layout, "mems") || readText("/sys/devices/system/node/online") || "0",
    memory: totalmem(),
    kernelRelease: release(),
    arch: goArch(arch()),
    capabilities: namesOfMask(maskOf(status, "CapBnd") & maskOf(status, "CapPrm")),
    knownCapabilities: namesOfMask((1n << BigInt(lastCapability + 1)) - 1n),
    rlimits: parseLimits(readText("/proc/self/limits")),
    oomScoreAdj: Number(readText("/proc/self/oom_score_adj")),
    seccomp: /^Seccomp:/m.test(status),
    apparmor: readText("/sys/module/apparmor/parameters/enabled").startsWith("Y"),
    selinux: existsSync("/sys/fs/selinux/enforce"),
    cgroupNamespaces: existsSync("/proc/self/ns/cgroup"),
    limits: layout.cgroupMode === "v2" ? limitsOfV2(layout) : limitsOfV1(layout),
    thermalThrottles: thermalThrottles(),
    // Read when asked: the daemon itself turns it on.
    get ipForward() {
      return readText("/proc/sys/net/ipv4/ip_forward") === "1";
    },
  };
}

function limitsOfV1(layout: CgroupLayout): CgroupLimits {
  const has = (controller: string, file: string) => controllerHas(layout, controller, file);
  return {
    memory: has("memory", "memory.limit_in_bytes"),
    swap: has("memory", "memory.memsw.limit_in_bytes"),
    memoryReservation: has("memory", "memory.soft_limit_in_bytes"),
    oomKillDisable: has("memory", "memory.oom_control"),
    swappiness: has("memory", "memory.swappiness"),
    kernelMemoryTcp: has("memory", "memory.kmem.tcp.limit_in_bytes"),
    cpuShares: has("cpu", "cpu.shares"),
    cpuQuota: has("cpu", "cpu.cfs_quota_us"),
    cpuRealtime: has("cpu", "cpu.rt_runtime_us"),
    cpuset: layout.cgroupControllers["cpuset"] !== undefined,
    pids: layout.cgroupControllers["pids"] !== undefined,
    blkioWeight: has("blkio", "blkio.weight") || has("blkio", "blkio.bfq.weight"),
    blkioWeightDevice: has("blkio", "blkio.weight_device") || has("blkio", "blkio.bfq.weight_device"),
    blkioReadBps: has("blkio", "blkio.throttle.read_bps_device"),
    blkioWriteBps: has("blkio", "blkio.throttle.write_bps_device"),
    blkioReadIops: has("blkio", "blkio.throttle.read_iops_device"),
    blkioWriteIops: has("blkio", "blkio.throttle.write_iops_device"),
  };
}

function limitsOfV2(layout: CgroupLayout): CgroupLimits {
  const has = (controller: string) => layout.cgroupControllers[controller] !== undefined;
  const [memory, cpu, io] = [has("memory"), has("cpu"), has("io")];
  return {
    memory,
    // memory.swap.max is missing in the root cgroup; the kernel tells by /proc/swaps being there whether it was built with swap.
    swap: memory && existsSync("/proc/swaps"),
    memoryReservation: memory,
    oomKillDisable: false,
    swappiness: false,
    kernelMemoryTcp: false,
    cpuShares: cpu,
    cpuQuota: cpu,
    cpuRealtime: false,
    cpuset: has("cpuset"),
    pids: has("pids"),
    blkioWeight: io,
    blkioWeightDevice: io,
    blkioReadBps: io,
    blkioWriteBps: io,
    blkioReadIops: io,
    blkioWriteIops: io,
  };
}

function rootCpuset(layout: CgroupLayout, kind: "cpus" | "mems"): string {
  const root = layout.cgroupControllers["cpuset"];
  if (root === undefined) return "";
  return readText(`${root}/cpuset.${kind}${layout.cgroupMode === "v2" ? ".effective" : ""}`);
}

/** In the order of the processors' numbers. `devices`: where the kernel shows its processors. */
export function thermalThrottles(devices = "/sys/devices/system/cpu"): string[] {
  const cpus = existsSync(devices) ? readdirSync(devices).filter((name) => /^cpu\d+$/.test(name)) : [];
  return cpus
    .sort((a, b) => Number(a.slice(3)) - Number(b.slice(3)))
    .map((cpu) => `${devices}/${cpu}/thermal_throttle`)
    .filter((path) => existsSync(path));
}

/** `/proc/PID/limits` → Docker's ulimit names. */
export function parseLimits(text: string): Record<string, Rlimit> {
  const names: Record<string, string> = {
    "cpu time": "cpu",
    "file size": "fsize",
    "data size": "data",
    "stack size": "stack",
    "core file size": "core",
    "resident set": "rss",
    processes: "nproc",
    "open files": "nofile",
    "locked memory": "memlock",
    "file locks": "locks",
    "pending signals": "sigpending",
    "msgqueue size": "msgqueue",
    "nice priority": "nice",
    "realtime priority": "rtprio",
    "realtime timeout": "rttime",
  };
  const found: Record<string, Rlimit> = {};
  const number = (value: string | undefined) => (value === "unlimited" ? Number.POSITIVE_INFINITY : Number(value));
  for (const [, label = "", soft, hard] of text.matchAll(/^Max (.+?) +(\d+|unlimited) +(\d+|unlimited)/gm)) {
    const name = names[label];
    if (name !== undefined) found[name] = { soft: number(soft), hard: number(hard) };
  }
  return found;
}

function maskOf(status: string, field: string): bigint {
  const match = new RegExp(`^${field}:\\s*([0-9a-f]+)`, "m").exec(status);
  return BigInt(`0x${match?.[1] ?? "0"}`);
}

const goArches: Record<string, string> = { x64: "amd64", ia32: "386", ppc64: "ppc64le" };

function goArch(name: string): string {
  return goArches[name] ?? name;
}

/** Content without the last newline; empty when there is no such file. */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return "";
  }
}
