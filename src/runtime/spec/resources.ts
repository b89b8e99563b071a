/** Docker's resource limits as the OCI runtime and `update` take them. */
import type { Resources, ThrottleDevice } from "../../api/container-config.ts";
import { errorCode, internal } from "../../base/errors.ts";
import { readDevice } from "../../linux/devices.ts";
import type {
  BlockIoResources,
  CpuResources,
  LinuxResources,
  MemoryResources,
  ThrottledDevice,
} from "../../oci/runtime-spec.ts";

/** All limits but device rules. Only what is set is there. Throws when a device named in a block limit does not exist. */
export function buildResources(resources: Resources): LinuxResources {
  const [memory, cpu, blockIO] = [memoryOf(resources), cpuOf(resources), blockIoOf(resources)];
  const pids = resources.PidsLimit;
  return {
    ...(isEmpty(memory) ? {} : { memory }),
    ...(isEmpty(cpu) ? {} : { cpu }),
    ...(isEmpty(blockIO) ? {} : { blockIO }),
    ...(typeof pids === "number" ? { pids: { limit: pids > 0 ? pids : -1 } } : {}),
  };
}

function memoryOf(resources: Resources): MemoryResources {
  const { Memory = 0, MemoryReservation = 0, MemorySwap = 0, MemorySwappiness, OomKillDisable } = resources;
  return {
    ...(Memory > 0 ? { limit: Memory } : {}),
    ...(MemoryReservation > 0 ? { reservation: MemoryReservation } : {}),
    // -1 (no limit) must be said on v2, where the runtime would otherwise take none as the memory limit.
    ...(MemorySwap !== 0 ? { swap: MemorySwap } : {}),
    ...(resources.KernelMemoryTCP ? { kernelTCP: resources.KernelMemoryTCP } : {}),
    ...(typeof MemorySwappiness === "number" ? { swappiness: MemorySwappiness } : {}),
    ...(OomKillDisable ? { disableOOMKiller: true } : {}),
  };
}

function cpuOf(resources: Resources): CpuResources {
  const { NanoCpus = 0 } = resources;
  // The scheduler's default period, of which a CPU is 100 ms.
  const period = resources.CpuPeriod || (NanoCpus > 0 ? 100_000 : 0);
  const quota = resources.CpuQuota || (NanoCpus > 0 ? Math.floor((NanoCpus * 100_000) / 1e9) : 0);
  return {
    ...(resources.CpuShares ? { shares: resources.CpuShares } : {}),
    ...(quota ? { quota } : {}),
    ...(period ? { period } : {}),
    ...(resources.CpuRealtimePeriod ? { realtimePeriod: resources.CpuRealtimePeriod } : {}),
    ...(resources.CpuRealtimeRuntime ? { realtimeRuntime: resources.CpuRealtimeRuntime } : {}),
    ...(resources.CpusetCpus ? { cpus: resources.CpusetCpus } : {}),
    ...(resources.CpusetMems ? { mems: resources.CpusetMems } : {}),
  };
}

function blockIoOf(resources: Resources): BlockIoResources {
  const weights = (resources.BlkioWeightDevice ?? []).map(({ Path, Weight }) => ({
    ...numbersOf(Path),
    weight: Weight,
  }));
  const throttles = {
    throttleReadBpsDevice: throttled(resources.BlkioDeviceReadBps),
    throttleWriteBpsDevice: throttled(resources.BlkioDeviceWriteBps),
    throttleReadIOPSDevice: throttled(resources.BlkioDeviceReadIOps),
    throttleWriteIOPSDevice: throttled(resources.BlkioDeviceWriteIOps),
  };
  return {
    ...(resources.BlkioWeight ? { weight: resources.BlkioWeight } : {}),
    ...(weights.length > 0 ? { weightDevice: weights } : {}),
    ...Object.fromEntries(Object.entries(throttles).filter(([, devices]) => devices.length > 0)),
  };
}

function throttled(devices: ThrottleDevice[] | null | undefined): ThrottledDevice[] {
  return (devices ?? []).map(({ Path, Rate }) => ({ ...numbersOf(Path), rate: Rate }));
}

function numbersOf(path: string): { major: number; minor: number } {
  try {
    const node = readDevice(path);
    // Docker takes what stat says of any file; a limit for device 0:0 then fails in the runtime.
    return { major: node?.major ?? 0, minor: node?.minor ?? 0 };
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
    throw internal(`stat ${path}: no such file or directory`, { cause: error });
  }
}

function isEmpty(value: object): boolean {
  return Object.keys(value).length === 0;
}
