/** What this machine and this daemon's own process are able to do. Read once at start; nothing here changes while the daemon runs. */

export type CgroupMode = "v1" | "hybrid" | "v2";

export interface Rlimit {
  /** Infinity: no limit. */
  soft: number;
  hard: number;
}

export interface HostFacts {
  cgroupMode: CgroupMode;
  /** Controller (`memory`, `cpu`, …) → directory of its hierarchy's root. On v2 all are the one root. */
  cgroupControllers: Record<string, string>;
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
  /** Names with `CAP_` that this process may hand on (its bounding set). */
  capabilities: string[];
  /** `nofile` → this process's own limits. */
  rlimits: Record<string, Rlimit>;
  seccomp: boolean;
  apparmor: boolean;
  selinux: boolean;
  /** What the kernel's cgroups can limit. */
  limits: {
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
  };
  /** `net.ipv4.ip_forward` is 1. */
  ipForward: boolean;
}
