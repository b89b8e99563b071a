/** A machine for tests: two CPUs, hybrid cgroups without block I/O weights, no CAP_SYS_RESOURCE, as where the golden files come from. */
import { namesOfMask } from "../../linux/capabilities.ts";
import type { HostFacts } from "../../linux/host-facts.ts";
import type { DaemonDefaults } from "./input.ts";

export const testHost: HostFacts = {
  cgroupMode: "hybrid",
  cgroupControllers: { memory: "/sys/fs/cgroup/memory", cpu: "/sys/fs/cgroup/cpu" },
  cgroupUnified: "/sys/fs/cgroup/unified",
  cpus: 2,
  onlineCpus: "0-1",
  onlineMems: "0",
  memory: 8 * 2 ** 30,
  kernelRelease: "6.1.0-13-amd64",
  arch: "amd64",
  capabilities: namesOfMask(0x1fffeffffffn),
  knownCapabilities: namesOfMask(0x1ffffffffffn),
  rlimits: {},
  oomScoreAdj: 0,
  seccomp: true,
  apparmor: false,
  selinux: false,
  cgroupNamespaces: true,
  limits: {
    memory: true,
    swap: true,
    memoryReservation: true,
    oomKillDisable: true,
    swappiness: true,
    kernelMemoryTcp: true,
    cpuShares: true,
    cpuQuota: true,
    cpuRealtime: true,
    cpuset: true,
    pids: true,
    blkioWeight: false,
    blkioWeightDevice: false,
    blkioReadBps: true,
    blkioWriteBps: true,
    blkioReadIops: true,
    blkioWriteIops: true,
  },
  thermalThrottles: [],
  ipForward: false,
};

export const testDefaults: DaemonDefaults = {
  runtime: "runc",
  runtimes: ["runc", "crun"],
  logDriver: "json-file",
  logOpts: {},
  shmSize: 64 << 20,
  ipcMode: "private",
  init: false,
  noNewPrivileges: false,
  ulimits: [],
};
