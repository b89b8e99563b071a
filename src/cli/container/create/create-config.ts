/** The flags of `run` and `create` → the body of `POST /containers/create`, checked as the docker CLI checks them. */
import type { DeviceRequest, HealthConfig, HostConfig, RestartPolicy } from "../../../api/container-config.ts";
import type { ContainerCreateRequest } from "../../../api/containers.ts";
import { CliError } from "../../command.ts";
import { splitPair } from "../../flag-kinds.ts";
import type { Flags, FlagValues } from "../../flags.ts";
import { isCdiDevice, parseDevice, parseVolumes } from "./binds.ts";
import type { configFlags } from "./config-flags.ts";
import { isMacAddress, networkMode, parseEndpoints } from "./endpoints.ts";
import { readKeyValues } from "./kv-files.ts";
import { parsePorts } from "./publish.ts";
import { parseSecurityOptions } from "./security-opts.ts";

type Specs = typeof configFlags;
type Values = FlagValues<Specs>;

/** HostConfig is always there in what this makes. */
export interface CreateBody extends ContainerCreateRequest {
  HostConfig: HostConfig;
}

export interface CreateInput {
  readonly image: string;
  readonly args: readonly string[];
  /** Variables that the configuration adds (proxies). */
  readonly extraEnv: Record<string, string>;
}

const windowsOnly = ["cpu-count", "cpu-percent", "io-maxbandwidth", "io-maxiops"] as const;

/** Throws for flags that no Linux daemon takes. */
function refuseWindowsFlags(flags: Flags<Specs>): void {
  const given = windowsOnly.find((name) => flags.changed(name));
  if (given === undefined) return;
  throw new CliError(
    `"--${given}" is only supported on a Docker daemon running on windows, but the Docker daemon is running on linux`,
  );
}

/** Throws an Error with Docker's message on invalid combinations. */
export function createBody(flags: Flags<Specs>, input: CreateInput): CreateBody {
  const { value } = flags;
  refuseWindowsFlags(flags);
  checkValues(value);
  const { binds, volumes } = parseVolumes(value.volume);
  const { exposed, bindings } = parsePorts(value.publish, value.expose);
  const attach = (stream: string) => (value.attach.length === 0 ? stream !== "stdin" : value.attach.includes(stream));
  const attachStdin = value.interactive || attach("stdin");
  const entrypoint = flags.changed("entrypoint") ? [value.entrypoint] : null;
  const environment = readEnvironment(value, input.extraEnv);
  const labels = readKeyValues(value["label-file"], value.label);
  const body: CreateBody = {
    Hostname: value.hostname,
    Domainname: value.domainname,
    User: value.user,
    AttachStdin: attachStdin,
    AttachStdout: attach("stdout"),
    AttachStderr: attach("stderr"),
    ...(Object.keys(exposed).length > 0 ? { ExposedPorts: exposed } : {}),
    Tty: value.tty,
    OpenStdin: value.interactive,
    StdinOnce: value.interactive && attachStdin,
    Env: orNull(environment),
    Cmd: orNull(input.args),
    ...optional("Healthcheck", healthConfig(value)),
    Image: input.image,
    Volumes: volumes,
    WorkingDir: value.workdir,
    Entrypoint: entrypoint,
    OnBuild: null,
    Labels: toMap(labels),
    ...(value["stop-signal"] === "" ? {} : { StopSignal: value["stop-signal"] }),
    ...(flags.changed("stop-timeout") ? { StopTimeout: value["stop-timeout"] } : {}),
    HostConfig: {
      Binds: orNull(binds),
      PortBindings: bindings,
      ...hostConfig(value),
      ...resources(value),
      ...(flags.changed("init") ? { Init: value.init } : {}),
    },
    NetworkingConfig: {
      EndpointsConfig: parseEndpoints({
        networks: value.network,
        aliases: value["network-alias"],
        links: value.link,
        ip: value.ip,
        ip6: value.ip6,
        macAddress: value["mac-address"],
        linkLocalIps: value["link-local-ip"],
      }),
    },
  };
  return body;
}

function checkValues(value: Values): void {
  const mac = value["mac-address"];
  if (mac !== "" && !isMacAddress(mac.trim())) throw new Error(`${mac} is not a valid mac address`);
  const swappiness = value["memory-swappiness"];
  if (swappiness !== -1 && (swappiness < 0 || swappiness > 100)) {
    throw new Error(`invalid value: ${swappiness}. Valid memory swappiness range is 0-100`);
  }
  const container = /^container:./;
  if (!["", "host"].includes(value.pid) && !container.test(value.pid)) throw new Error("--pid: invalid PID mode");
  if (!["", "host"].includes(value.uts)) throw new Error("--uts: invalid UTS mode");
  if (!["", "host"].includes(value.userns)) throw new Error("--userns: invalid USER mode");
  if (!["", "private", "host"].includes(value.cgroupns)) throw new Error("--cgroupns: invalid CGROUP mode");
  if (value["log-driver"] === "none" && value["log-opt"].length > 0) {
    throw new Error("invalid logging opts for driver none");
  }
  if (value["storage-opt"].some((option) => !option.includes("="))) throw new Error("invalid storage option");
}

function hostConfig(value: Values): HostConfig {
  const security = parseSecurityOptions(value["security-opt"]);
  const restart = restartPolicy(value.restart);
  if (value.rm && !["", "no"].includes(restart.Name ?? "")) {
    throw new Error("conflicting options: cannot specify both --restart and --rm");
  }
  const noPaths = security.unconfinedPaths ? [] : null;
  const tmpfs = value.tmpfs.map((text): [string, string] => {
    const at = text.indexOf(":");
    return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
  });
  return {
    ContainerIDFile: value.cidfile,
    LogConfig: { Type: value["log-driver"], Config: toMap(value["log-opt"]) },
    NetworkMode: networkMode(value.network),
    RestartPolicy: restart,
    AutoRemove: value.rm,
    VolumeDriver: value["volume-driver"],
    VolumesFrom: orNull(value["volumes-from"]),
    ConsoleSize: [0, 0],
    ...optionalMap("Annotations", value.annotation),
    ...(value.mount.length > 0 ? { Mounts: value.mount } : {}),
    CapAdd: orNull(normalCapabilities(value["cap-add"])),
    CapDrop: orNull(normalCapabilities(value["cap-drop"])),
    CgroupnsMode: value.cgroupns,
    Dns: value.dns,
    DnsOptions: value["dns-option"],
    DnsSearch: value["dns-search"],
    ExtraHosts: orNull(value["add-host"]),
    GroupAdd: orNull(value["group-add"]),
    IpcMode: value.ipc,
    Cgroup: "",
    Links: orNull(value.link),
    OomScoreAdj: value["oom-score-adj"],
    PidMode: value.pid,
    Privileged: value.privileged,
    PublishAllPorts: value["publish-all"],
    ReadonlyRootfs: value["read-only"],
    SecurityOpt: orNull(security.options),
    ...optionalMap("StorageOpt", toMap(value["storage-opt"])),
    ...optionalMap("Tmpfs", Object.fromEntries(tmpfs)),
    UTSMode: value.uts,
    UsernsMode: value.userns,
    ShmSize: value["shm-size"],
    ...optionalMap("Sysctls", value.sysctl),
    ...(value.runtime === "" ? {} : { Runtime: value.runtime }),
    Isolation: value.isolation,
    MaskedPaths: noPaths,
    ReadonlyPaths: noPaths,
  };
}

function resources(value: Values): HostConfig {
  const plain = value.device.filter((device) => !isCdiDevice(device));
  const cdi = value.device.filter(isCdiDevice);
  const cdiRequest: DeviceRequest = { Driver: "cdi", Count: 0, DeviceIDs: cdi, Capabilities: null, Options: null };
  return {
    CpuShares: value["cpu-shares"],
    Memory: value.memory,
    NanoCpus: value.cpus,
    CgroupParent: value["cgroup-parent"],
    BlkioWeight: value["blkio-weight"],
    BlkioWeightDevice: value["blkio-weight-device"],
    BlkioDeviceReadBps: value["device-read-bps"],
    BlkioDeviceWriteBps: value["device-write-bps"],
    BlkioDeviceReadIOps: value["device-read-iops"],
    BlkioDeviceWriteIOps: value["device-write-iops"],
    CpuPeriod: value["cpu-period"],
    CpuQuota: value["cpu-quota"],
    CpuRealtimePeriod: value["cpu-rt-period"],
    CpuRealtimeRuntime: value["cpu-rt-runtime"],
    CpusetCpus: value["cpuset-cpus"],
    CpusetMems: value["cpuset-mems"],
    Devices: plain.map(parseDevice),
    DeviceCgroupRules: orNull(value["device-cgroup-rule"]),
    DeviceRequests: orNull(cdi.length > 0 ? [...value.gpus, cdiRequest] : value.gpus),
    ...(value["kernel-memory"] === 0 ? {} : { KernelMemory: value["kernel-memory"] }),
    MemoryReservation: value["memory-reservation"],
    MemorySwap: value["memory-swap"],
    MemorySwappiness: value["memory-swappiness"],
    OomKillDisable: value["oom-kill-disable"],
    PidsLimit: value["pids-limit"],
    Ulimits: Object.values(value.ulimit),
    CpuCount: value["cpu-count"],
    CpuPercent: value["cpu-percent"],
    IOMaximumIOps: value["io-maxiops"],
    IOMaximumBandwidth: value["io-maxbandwidth"],
  };
}

/** `net_admin` → `CAP_NET_ADMIN`, each once, sorted; `ALL` stays. */
function normalCapabilities(names: readonly string[]): string[] {
  const normal = names.map((name) => {
    const upper = name.trim().toUpperCase();
    return upper === "ALL" || upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  });
  return [...new Set(normal)].sort();
}

/** `name[:maximum retries]`; update uses it too. Throws an Error with Docker's message. */
export function restartPolicy(text: string): RestartPolicy {
  const at = text.indexOf(":");
  const name = at < 0 ? text : text.slice(0, at);
  const count = at < 0 ? "" : text.slice(at + 1);
  if (at === 0) throw new Error("invalid restart policy format: no policy provided before colon");
  if (count !== "" && !/^[+-]?\d+$/.test(count)) {
    throw new Error("invalid restart policy format: maximum retry count must be an integer");
  }
  // The daemon judges the name.
  return { Name: name as NonNullable<RestartPolicy["Name"]>, MaximumRetryCount: count === "" ? 0 : Number(count) };
}

function healthConfig(value: Values): HealthConfig | undefined {
  const durations = ["interval", "timeout", "start-period", "start-interval"] as const;
  const isSet =
    value["health-cmd"] !== "" ||
    value["health-retries"] !== 0 ||
    durations.some((name) => value[`health-${name}`] !== 0);
  if (value["no-healthcheck"]) {
    if (isSet) throw new Error("--no-healthcheck conflicts with --health-* options");
    return { Test: ["NONE"] };
  }
  if (!isSet) return undefined;
  for (const name of ["interval", "timeout", "retries", "start-period", "start-interval"] as const) {
    if (value[`health-${name}`] < 0) throw new Error(`--health-${name} cannot be negative`);
  }
  return {
    ...(value["health-cmd"] === "" ? {} : { Test: ["CMD-SHELL", value["health-cmd"]] }),
    ...optionalNumber("Interval", value["health-interval"]),
    ...optionalNumber("Timeout", value["health-timeout"]),
    ...optionalNumber("StartPeriod", value["health-start-period"]),
    ...optionalNumber("StartInterval", value["health-start-interval"]),
    ...optionalNumber("Retries", value["health-retries"]),
  };
}

/** The proxies' variables, the files', the flags'; a name given twice by flags counts once, with its last value. */
function readEnvironment(value: Values, extra: Record<string, string>): string[] {
  const given = new Map<string, string>();
  for (const entry of value.env) given.set(splitPair(entry)[0], entry);
  for (const [name, text] of Object.entries(extra)) if (!given.has(name)) given.set(name, `${name}=${text}`);
  return readKeyValues(value["env-file"], [...given.values()], (name) => process.env[name]);
}

function toMap(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(pairs.map(splitPair));
}

function orNull<T>(items: readonly T[]): T[] | null {
  return items.length > 0 ? [...items] : null;
}

function optional<K extends string, V>(name: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [name]: value }) as { [P in K]?: V };
}

function optionalMap<K extends string>(name: K, map: Record<string, string>) {
  return optional(name, Object.keys(map).length > 0 ? map : undefined);
}

function optionalNumber<K extends string>(name: K, value: number) {
  return optional(name, value === 0 ? undefined : value);
}
