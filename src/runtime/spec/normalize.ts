/** A container's configuration with the defaults that dockerd fills in, in the shape and order that `inspect` shows. */
import { posix } from "node:path";
import type { ContainerConfig, HostConfig, LogConfig } from "../../api/container-config.ts";
import type { HostFacts } from "../../linux/host-facts.ts";
import { checkResources } from "./checks/check-resources.ts";
import type { DaemonDefaults } from "./input.ts";

export const defaultMaskedPaths: readonly string[] = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];

export const defaultReadonlyPaths: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

/** What the client sent (checked by `validateCreate`), completed; limits that this kernel cannot hold are dropped. */
export function normalizeHostConfig(given: HostConfig, facts: HostFacts, defaults: DaemonDefaults): HostConfig {
  const { resources: host } = checkResources(given, facts);
  const privileged = host.Privileged ?? false;
  const memory = host.Memory ?? 0;
  return {
    Binds: host.Binds ?? null,
    ContainerIDFile: host.ContainerIDFile ?? "",
    LogConfig: logConfig(host.LogConfig ?? {}, defaults),
    NetworkMode: !host.NetworkMode || host.NetworkMode === "default" ? "bridge" : host.NetworkMode,
    PortBindings: completePorts(host.PortBindings),
    RestartPolicy: {
      Name: host.RestartPolicy?.Name || "no",
      MaximumRetryCount: host.RestartPolicy?.MaximumRetryCount ?? 0,
    },
    AutoRemove: host.AutoRemove ?? false,
    VolumeDriver: host.VolumeDriver ?? "",
    VolumesFrom: host.VolumesFrom ?? null,
    ConsoleSize: host.ConsoleSize ?? [0, 0],
    ...(hasEntries(host.Annotations) ? { Annotations: host.Annotations } : {}),
    CapAdd: host.CapAdd ?? null,
    CapDrop: host.CapDrop ?? null,
    CgroupnsMode: host.CgroupnsMode || cgroupnsMode(privileged, facts, defaults),
    Dns: host.Dns ?? null,
    DnsOptions: host.DnsOptions ?? null,
    DnsSearch: host.DnsSearch ?? null,
    ExtraHosts: host.ExtraHosts ?? null,
    GroupAdd: host.GroupAdd ?? null,
    IpcMode: host.IpcMode || defaults.ipcMode,
    Cgroup: host.Cgroup ?? "",
    Links: host.Links ?? null,
    OomScoreAdj: host.OomScoreAdj ?? 0,
    PidMode: host.PidMode ?? "",
    Privileged: privileged,
    PublishAllPorts: host.PublishAllPorts ?? false,
    ReadonlyRootfs: host.ReadonlyRootfs ?? false,
    SecurityOpt: securityOptions(host),
    ...(hasEntries(host.StorageOpt) ? { StorageOpt: host.StorageOpt } : {}),
    ...(hasEntries(host.Tmpfs) ? { Tmpfs: host.Tmpfs } : {}),
    UTSMode: host.UTSMode ?? "",
    UsernsMode: host.UsernsMode ?? "",
    ShmSize: host.ShmSize || defaults.shmSize,
    ...(hasEntries(host.Sysctls) ? { Sysctls: host.Sysctls } : {}),
    Runtime: host.Runtime || defaults.runtime,
    Isolation: host.Isolation ?? "",
    ...completeResources(host, facts),
    // Twice the memory is Docker's default for memory and swap together.
    MemorySwap: memory > 0 && !host.MemorySwap ? memory * 2 : (host.MemorySwap ?? 0),
    ...(host.Mounts?.length ? { Mounts: host.Mounts } : {}),
    MaskedPaths: host.MaskedPaths ?? (privileged ? null : [...defaultMaskedPaths, ...facts.thermalThrottles]),
    ReadonlyPaths: host.ReadonlyPaths ?? (privileged ? null : [...defaultReadonlyPaths]),
    ...(typeof host.Init === "boolean" ? { Init: host.Init } : {}),
  };
}

function completeResources(host: HostConfig, facts: HostFacts): HostConfig {
  return {
    CpuShares: host.CpuShares ?? 0,
    Memory: host.Memory ?? 0,
    NanoCpus: host.NanoCpus ?? 0,
    CgroupParent: host.CgroupParent ?? "",
    BlkioWeight: host.BlkioWeight ?? 0,
    BlkioWeightDevice: host.BlkioWeightDevice ?? null,
    BlkioDeviceReadBps: host.BlkioDeviceReadBps ?? null,
    BlkioDeviceWriteBps: host.BlkioDeviceWriteBps ?? null,
    BlkioDeviceReadIOps: host.BlkioDeviceReadIOps ?? null,
    BlkioDeviceWriteIOps: host.BlkioDeviceWriteIOps ?? null,
    CpuPeriod: host.CpuPeriod ?? 0,
    CpuQuota: host.CpuQuota ?? 0,
    CpuRealtimePeriod: host.CpuRealtimePeriod ?? 0,
    CpuRealtimeRuntime: host.CpuRealtimeRuntime ?? 0,
    CpusetCpus: host.CpusetCpus ?? "",
    CpusetMems: host.CpusetMems ?? "",
    Devices: host.Devices ?? null,
    DeviceCgroupRules: host.DeviceCgroupRules ?? null,
    DeviceRequests: host.DeviceRequests?.map(completeRequest) ?? null,
    ...(host.KernelMemoryTCP ? { KernelMemoryTCP: host.KernelMemoryTCP } : {}),
    MemoryReservation: host.MemoryReservation ?? 0,
    MemorySwap: 0,
    MemorySwappiness: host.MemorySwappiness ?? null,
    OomKillDisable: facts.limits.oomKillDisable ? (host.OomKillDisable ?? false) : null,
    PidsLimit: (host.PidsLimit ?? 0) > 0 ? (host.PidsLimit ?? null) : null,
    Ulimits: host.Ulimits?.map(({ Name, Soft = 0, Hard = 0 }) => ({ Name, Hard, Soft })) ?? null,
    CpuCount: host.CpuCount ?? 0,
    CpuPercent: host.CpuPercent ?? 0,
    IOMaximumIOps: host.IOMaximumIOps ?? 0,
    IOMaximumBandwidth: host.IOMaximumBandwidth ?? 0,
  };
}

function completeRequest(request: NonNullable<HostConfig["DeviceRequests"]>[number]) {
  const { Driver = "", Count = 0, DeviceIDs = null, Capabilities = null, Options = null } = request;
  return { Driver, Count, DeviceIDs, Capabilities, Options };
}

function completePorts(ports: HostConfig["PortBindings"]): NonNullable<HostConfig["PortBindings"]> | null {
  if (!ports) return null;
  const complete = Object.entries(ports).map(([port, bindings]) => [
    port,
    bindings?.map(({ HostIp = "", HostPort = "" }) => ({ HostIp, HostPort })) ?? null,
  ]);
  return Object.fromEntries(complete);
}

function logConfig({ Type = "", Config }: LogConfig, { logDriver, logOpts }: DaemonDefaults): LogConfig {
  // The daemon's own options are for the daemon's own driver.
  const base = Type === "" || Type === logDriver ? logOpts : {};
  return { Type: Type || logDriver, Config: { ...base, ...Config } };
}

function cgroupnsMode(privileged: boolean, facts: HostFacts, defaults: DaemonDefaults): string {
  if (facts.cgroupMode === "v2") return defaults.cgroupnsMode ?? "private";
  return privileged ? "host" : (defaults.cgroupnsMode ?? "host");
}

/** A process that shares the host's processes or IPC cannot have an SELinux label of its own. */
function securityOptions({ SecurityOpt, Privileged, IpcMode, PidMode }: HostConfig): string[] | null {
  if (!Privileged && IpcMode !== "host" && PidMode !== "host") return SecurityOpt ?? null;
  return [...(SecurityOpt ?? []), "label=disable"];
}

/** The image's configuration merged with the client's (by the caller), completed as `inspect` shows it. */
export function normalizeConfig(given: ContainerConfig): ContainerConfig {
  // An empty string is how a client says: not the image's.
  const entrypoint = given.Entrypoint?.length === 1 && given.Entrypoint[0] === "" ? null : (given.Entrypoint ?? null);
  return {
    Hostname: given.Hostname ?? "",
    Domainname: given.Domainname ?? "",
    User: given.User ?? "",
    AttachStdin: given.AttachStdin ?? false,
    AttachStdout: given.AttachStdout ?? false,
    AttachStderr: given.AttachStderr ?? false,
    ...(hasEntries(given.ExposedPorts) ? { ExposedPorts: given.ExposedPorts } : {}),
    Tty: given.Tty ?? false,
    OpenStdin: given.OpenStdin ?? false,
    StdinOnce: given.StdinOnce ?? false,
    Env: given.Env ?? null,
    Cmd: given.Cmd ?? null,
    ...(given.Healthcheck ? { Healthcheck: given.Healthcheck } : {}),
    ...(given.ArgsEscaped ? { ArgsEscaped: true } : {}),
    Image: given.Image ?? "",
    Volumes: given.Volumes ?? null,
    WorkingDir: given.WorkingDir ? cleanPath(given.WorkingDir) : "",
    Entrypoint: entrypoint,
    ...(given.NetworkDisabled ? { NetworkDisabled: true } : {}),
    ...(given.MacAddress ? { MacAddress: given.MacAddress } : {}),
    OnBuild: given.OnBuild ?? null,
    Labels: given.Labels ?? {},
    ...(given.StopSignal ? { StopSignal: given.StopSignal } : {}),
    ...(typeof given.StopTimeout === "number" ? { StopTimeout: given.StopTimeout } : {}),
    ...(given.Shell?.length ? { Shell: given.Shell } : {}),
  };
}

function cleanPath(path: string): string {
  return posix.resolve("/", path);
}

function hasEntries(value: object | null | undefined): boolean {
  return value !== null && value !== undefined && Object.keys(value).length > 0;
}
