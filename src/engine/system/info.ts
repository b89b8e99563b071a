/** `GET /info`: every field that dockerd has, in its order. */
import { readdirSync } from "node:fs";
import type { SystemInfo } from "../../api/system.ts";
import { nowRfc3339Nano } from "../../base/clock.ts";
import type { CgroupLimits, HostFacts } from "../../linux/host-facts.ts";
import type { HostIdentity } from "./host-identity.ts";
import type { EngineState } from "./metrics.ts";

/** The parts of the configuration that are shown. Read at each call: labels and debug may be reloaded. */
export interface ShownConfig {
  dataRoot: string;
  debug: boolean;
  labels: readonly string[];
  runtimes: Readonly<Record<string, { path: string }>>;
  defaultRuntime: string;
  logDriver: string;
  initBinary: string;
  /** Packet filter rules are in use. */
  firewall: boolean;
  registry: { mirrors: string[]; insecure: string[] };
  /** A path, `builtin` or `unconfined`. */
  seccompProfile: string;
  noNewPrivileges: boolean;
  experimental: boolean;
  liveRestore: boolean;
  preferBuildkit: boolean;
  /** Where the API is served by TCP, and whether clients there show a certificate. */
  tcp: readonly { address: string; tls: boolean; verify: boolean }[];
  addressPools: readonly { base: string; size: number }[];
  cdiSpecDirs: readonly string[];
  /** Without passwords. */
  proxies: { http: string; https: string; no: string };
}

export interface InfoInput {
  id: string;
  version: string;
  config: ShownConfig;
  host: HostFacts;
  identity: HostIdentity;
  state: EngineState;
  plugins: { volume: string[]; authorization: string[] };
  /** Names of devices that containers can ask for. */
  cdiDevices: readonly string[];
}

export function toInfo(input: InfoInput): SystemInfo {
  const { id, version, config, host, identity, state, plugins, cdiDevices } = input;
  return {
    ID: id,
    Containers: state.running + state.paused + state.stopped,
    ContainersRunning: state.running,
    ContainersPaused: state.paused,
    ContainersStopped: state.stopped,
    Images: state.images,
    Driver: "overlay2",
    DriverStatus: [
      ["Supports d_type", "true"],
      ["Native Overlay Diff", "true"],
      ["userxattr", "false"],
    ],
    Plugins: {
      Volume: ["local", ...plugins.volume].sort(),
      Network: ["bridge", "host", "null"],
      Authorization: plugins.authorization.length === 0 ? null : plugins.authorization,
      Log: ["json-file", "local", "none"],
    },
    ...limitFields(host.limits),
    IPv4Forwarding: host.ipForward,
    Debug: config.debug,
    NFd: openDescriptors(),
    OomKillDisable: host.limits.oomKillDisable,
    // Go's word for what runs at once; here that is threads, and whom they serve.
    NGoroutines: readdirSync("/proc/self/task").length + state.connections,
    SystemTime: nowRfc3339Nano(),
    LoggingDriver: config.logDriver,
    CgroupDriver: "cgroupfs",
    CgroupVersion: host.cgroupMode === "v2" ? "2" : "1",
    NEventsListener: state.eventListeners,
    KernelVersion: host.kernelRelease,
    OperatingSystem: identity.operatingSystem,
    OSVersion: identity.osVersion,
    OSType: "linux",
    Architecture: identity.machine,
    ...registryFields(config.registry),
    NCPU: host.cpus,
    MemTotal: host.memory,
    GenericResources: null,
    DockerRootDir: config.dataRoot,
    HttpProxy: config.proxies.http,
    HttpsProxy: config.proxies.https,
    NoProxy: config.proxies.no,
    Name: identity.hostname,
    Labels: [...config.labels],
    ExperimentalBuild: config.experimental,
    ServerVersion: version,
    Runtimes: Object.fromEntries(Object.entries(config.runtimes).map(([name, { path }]) => [name, { path }])),
    DefaultRuntime: config.defaultRuntime,
    Swarm: {
      NodeID: "",
      NodeAddr: "",
      LocalNodeState: "inactive",
      ControlAvailable: false,
      Error: "",
      RemoteManagers: null,
    },
    LiveRestoreEnabled: config.liveRestore,
    Isolation: "",
    InitBinary: config.initBinary,
    ContainerdCommit: { ID: "" },
    RuncCommit: { ID: "" },
    InitCommit: { ID: "" },
    SecurityOptions: securityOptions(host, config),
    CDISpecDirs: [...config.cdiSpecDirs],
    ...(cdiDevices.length > 0 ? { DiscoveredDevices: cdiDevices.map((ID) => ({ Source: "cdi", ID })) } : {}),
    ...(config.firewall ? { FirewallBackend: { Driver: "nftables" } } : {}),
    ...(config.addressPools.length > 0
      ? { DefaultAddressPools: config.addressPools.map(({ base, size }) => ({ Base: base, Size: size })) }
      : {}),
    Warnings: warnings(host.limits, config),
  };
}

function registryFields({ mirrors, insecure }: { mirrors: string[]; insecure: string[] }) {
  const urls = mirrors.map((url) => `${url.replace(/\/+$/, "")}/`);
  const hosts = insecure.filter((entry) => !entry.includes("/"));
  const unsafe = hosts.map((Name) => [Name, { Mirrors: [], Name, Official: false, Secure: false }]);
  return {
    IndexServerAddress: "https://index.docker.io/v1/",
    RegistryConfig: {
      IndexConfigs: {
        "docker.io": { Mirrors: urls, Name: "docker.io", Official: true, Secure: true },
        ...Object.fromEntries(unsafe),
      },
      InsecureRegistryCIDRs: ["::1/128", "127.0.0.0/8", ...insecure.filter((entry) => entry.includes("/"))],
      Mirrors: urls.length > 0 ? urls : null,
    },
  };
}

function limitFields(limits: CgroupLimits): Record<string, boolean> {
  return {
    MemoryLimit: limits.memory,
    SwapLimit: limits.swap,
    KernelMemoryTCP: limits.kernelMemoryTcp,
    CpuCfsPeriod: limits.cpuQuota,
    CpuCfsQuota: limits.cpuQuota,
    CPUShares: limits.cpuShares,
    CPUSet: limits.cpuset,
    PidsLimit: limits.pids,
  };
}

function securityOptions(host: HostFacts, { seccompProfile, noNewPrivileges }: ShownConfig): string[] {
  return [
    ...(host.apparmor ? ["name=apparmor"] : []),
    ...(host.seccomp ? [`name=seccomp,profile=${seccompProfile}`] : []),
    ...(host.selinux ? ["name=selinux"] : []),
    ...(host.cgroupNamespaces && host.cgroupMode === "v2" ? ["name=cgroupns"] : []),
    ...(noNewPrivileges ? ["name=no-new-privileges"] : []),
  ];
}

/** dockerd's words; null when all is well. */
function warnings(limits: CgroupLimits, { tcp }: ShownConfig): string[] | null {
  const missing: [boolean, string][] = [
    [limits.memory, "No memory limit support"],
    [limits.swap, "No swap limit support"],
    [limits.cpuQuota, "No cpu cfs quota support"],
    [limits.cpuShares, "No cpu shares support"],
    [limits.cpuset, "No cpuset support"],
    [limits.pids, "No pids limit support"],
  ];
  const found = [
    ...tcp.filter(({ verify }) => !verify).map(exposure),
    ...missing.filter(([supported]) => !supported).map(([, text]) => `WARNING: ${text}`),
  ];
  return found.length > 0 ? found : null;
}

function exposure({ address, tls }: { address: string; tls: boolean }): string {
  const how = tls ? `https://${address} without TLS client verification` : `http://${address} without encryption`;
  return `WARNING: API is accessible on ${how}.
         Access to the remote API is equivalent to root access on the host. Refer
         to the 'Docker daemon attack surface' section in the documentation for
         more information: https://docs.docker.com/go/attack-surface/`;
}

function openDescriptors(): number {
  return readdirSync("/dev/fd").length;
}
