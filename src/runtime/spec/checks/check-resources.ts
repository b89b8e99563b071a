/** Resource limits: what Docker refuses, what it drops with a warning because this kernel cannot do it. */
import type { Resources } from "../../../api/container-config.ts";
import { invalidArgument } from "../../../base/errors.ts";
import type { HostFacts } from "../../../linux/host-facts.ts";
import { expandSet } from "../cpuset.ts";

/** Below this a container's runtime cannot start. */
const minMemory = 6 << 20;

export interface CheckedResources<T extends Resources> {
  /** A copy without what was dropped. */
  resources: T;
  warnings: string[];
}

/** Throws Docker's messages. `update`: a limit of swap alone is allowed, for memory may have its limit already. */
export function checkResources<T extends Resources>(
  given: T,
  facts: HostFacts,
  options: { update: boolean } = { update: false },
): CheckedResources<T> {
  const resources = { ...given };
  const warnings: string[] = [];
  checkMemory(resources, facts, warnings, options.update);
  checkCpu(resources, facts, warnings);
  checkCpuset(resources, facts, warnings);
  checkBlockIo(resources, facts, warnings);
  return { resources, warnings };
}

function checkMemory(resources: Resources, { limits }: HostFacts, warnings: string[], update: boolean): void {
  if (resources.MemorySwappiness === -1) resources.MemorySwappiness = null;
  delete resources.KernelMemory;
  const memory = resources.Memory ?? 0;
  if (memory !== 0 && memory < minMemory) throw invalidArgument("Minimum memory limit allowed is 6MB");
  if (memory > 0 && !limits.memory) {
    warnings.push(unsupported("memory limit capabilities or the cgroup is not mounted. Limitation discarded."));
    resources.Memory = 0;
    resources.MemorySwap = -1;
  }
  if ((resources.Memory ?? 0) > 0 && resources.MemorySwap !== -1 && !limits.swap) {
    warnings.push(unsupported("swap limit capabilities or the cgroup is not mounted. Memory limited without swap."));
    resources.MemorySwap = -1;
  }
  const { Memory = 0, MemorySwap = 0, MemorySwappiness, MemoryReservation = 0 } = resources;
  if (Memory > 0 && MemorySwap > 0 && MemorySwap < Memory) {
    throw invalidArgument("Minimum memoryswap limit should be larger than memory limit, see usage");
  }
  if (Memory === 0 && MemorySwap > 0 && !update) {
    throw invalidArgument("You should always set the Memory limit when using Memoryswap limit, see usage");
  }
  if (typeof MemorySwappiness === "number") {
    if (!limits.swappiness) {
      warnings.push(
        unsupported("memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded."),
      );
      resources.MemorySwappiness = null;
    } else if (MemorySwappiness < 0 || MemorySwappiness > 100) {
      throw invalidArgument(`Invalid value: ${MemorySwappiness}, valid memory swappiness range is 0-100`);
    }
  }
  if (MemoryReservation > 0 && !limits.memoryReservation) {
    warnings.push(unsupported("memory soft limit capabilities or the cgroup is not mounted. Limitation discarded."));
    resources.MemoryReservation = 0;
  } else if (MemoryReservation > 0 && MemoryReservation < minMemory) {
    throw invalidArgument("Minimum memory reservation allowed is 6MB");
  } else if (Memory > 0 && Memory < MemoryReservation) {
    throw invalidArgument("Minimum memory limit can not be less than memory reservation limit, see usage");
  }
  checkOomAndPids(resources, limits, warnings);
}

function checkOomAndPids(resources: Resources, limits: HostFacts["limits"], warnings: string[]): void {
  if (!limits.oomKillDisable) {
    if (resources.OomKillDisable) warnings.push(unsupported("OomKillDisable. OomKillDisable discarded."));
    resources.OomKillDisable = null;
  } else if (resources.OomKillDisable && !resources.Memory) {
    warnings.push(
      "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.",
    );
  }
  if ((resources.PidsLimit ?? 0) > 0 && !limits.pids) {
    warnings.push(unsupported("PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded."));
    resources.PidsLimit = null;
  }
}

function checkCpu(resources: Resources, { limits, cpus }: HostFacts, warnings: string[]): void {
  const { NanoCpus = 0, CpuPeriod = 0, CpuQuota = 0, CpuShares = 0 } = resources;
  if (NanoCpus > 0 && CpuPeriod > 0) {
    throw invalidArgument("Conflicting options: Nano CPUs and CPU Period cannot both be set");
  }
  if (NanoCpus > 0 && CpuQuota > 0) {
    throw invalidArgument("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
  }
  if (NanoCpus > 0 && !limits.cpuQuota) {
    throw invalidArgument(
      "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted",
    );
  }
  if (NanoCpus < 0 || NanoCpus > cpus * 1e9) {
    throw invalidArgument(`range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`);
  }
  if (CpuShares < 0) {
    throw invalidArgument(`invalid CPU shares (${CpuShares}): value must be a positive integer`);
  }
  if (CpuShares > 0 && !limits.cpuShares) {
    warnings.push(unsupported("CPU shares or the cgroup is not mounted. Shares discarded."));
    resources.CpuShares = 0;
  }
  if ((CpuPeriod !== 0 || CpuQuota !== 0) && !limits.cpuQuota) {
    warnings.push(unsupported("CPU CFS scheduler. CPU period/quota discarded."));
    resources.CpuPeriod = 0;
    resources.CpuQuota = 0;
  } else if (CpuPeriod !== 0 && (CpuPeriod < 1000 || CpuPeriod > 1_000_000)) {
    throw invalidArgument("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
  } else if (CpuQuota > 0 && CpuQuota < 1000) {
    throw invalidArgument("CPU cfs quota can not be less than 1ms (i.e. 1000)");
  }
  if ((resources.CpuPercent ?? 0) > 0) {
    warnings.push("linux does not support CPU percent. Percent discarded.");
    resources.CpuPercent = 0;
  }
}

function checkCpuset(resources: Resources, { limits, onlineCpus, onlineMems }: HostFacts, warnings: string[]): void {
  if ((resources.CpusetCpus || resources.CpusetMems) && !limits.cpuset) {
    warnings.push(unsupported("cpuset or the cgroup is not mounted. Cpuset discarded."));
    resources.CpusetCpus = "";
    resources.CpusetMems = "";
  }
  checkSet(resources.CpusetCpus ?? "", onlineCpus, "cpus", "CPUs");
  checkSet(resources.CpusetMems ?? "", onlineMems, "mems", "memory nodes");
}

function checkSet(requested: string, available: string, kind: string, words: string): void {
  const wanted = expandSet(requested);
  if (typeof wanted === "string") throw invalidArgument(`Invalid value ${requested} for cpuset ${kind}: ${wanted}`);
  const there = expandSet(available);
  if (typeof there === "string" || wanted.every((number) => there.includes(number))) return;
  throw invalidArgument(`Requested ${words} are not available - requested ${requested}, available: ${available}`);
}

function checkBlockIo(resources: Resources, { limits }: HostFacts, warnings: string[]): void {
  const weight = resources.BlkioWeight ?? 0;
  if (weight > 0 && !limits.blkioWeight) {
    warnings.push(unsupported("Block I/O weight or the cgroup is not mounted. Weight discarded."));
    resources.BlkioWeight = 0;
  } else if (weight > 0 && (weight < 10 || weight > 1000)) {
    throw invalidArgument("Range of blkio weight is from 10 to 1000");
  }
  const lists = [
    ["BlkioWeightDevice", limits.blkioWeightDevice, "Block I/O weight_device", "Weight-device"],
    ["BlkioDeviceReadBps", limits.blkioReadBps, "BPS Block I/O read limit", "Block I/O BPS read limit"],
    ["BlkioDeviceWriteBps", limits.blkioWriteBps, "BPS Block I/O write limit", "Block I/O BPS write limit"],
    ["BlkioDeviceReadIOps", limits.blkioReadIops, "IOPS Block read limit", "Block I/O IOPS read limit"],
    ["BlkioDeviceWriteIOps", limits.blkioWriteIops, "IOPS Block write limit", "Block I/O IOPS write limit"],
  ] as const;
  for (const [field, supported, what, dropped] of lists) {
    if (supported || !resources[field]?.length) continue;
    warnings.push(unsupported(`${what} or the cgroup is not mounted. ${dropped} discarded.`));
    resources[field] = [];
  }
}

function unsupported(what: string): string {
  return `Your kernel does not support ${what}`;
}
