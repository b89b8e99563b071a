/** The parts of a container's configuration that are not resources or modes: what Docker refuses at create. */
import type {
  ContainerConfig,
  HealthConfig,
  HostConfig,
  PortMap,
  RestartPolicy,
} from "../../../api/container-config.ts";
import { internal, invalidArgument } from "../../../base/errors.ts";
import { parseSignal } from "../../../oci/signals.ts";

/** Throws Docker's messages. */
export function checkConfig(config: ContainerConfig): void {
  const { WorkingDir = "", StopSignal = "", Env, Healthcheck } = config;
  if (WorkingDir !== "" && !WorkingDir.startsWith("/")) {
    throw invalidArgument(`the working directory '${WorkingDir}' is invalid, it needs to be an absolute path`);
  }
  if (StopSignal !== "") parseSignal(StopSignal);
  for (const entry of Env ?? []) {
    if (entry === "" || entry.startsWith("=")) throw invalidArgument(`invalid environment variable: ${entry}`);
  }
  if (Healthcheck) checkHealth(Healthcheck);
}

/** One millisecond. */
const minDuration = 1_000_000;

function checkHealth(health: HealthConfig): void {
  const tooShort = (value: number | undefined) => value !== undefined && value !== 0 && value < minDuration;
  const fail = (field: string) => invalidArgument(`${field} in Healthcheck cannot be less than 1ms`);
  if (tooShort(health.Interval)) throw fail("Interval");
  if (tooShort(health.Timeout)) throw fail("Timeout");
  if ((health.Retries ?? 0) < 0) throw invalidArgument("Retries in Healthcheck cannot be negative");
  if (tooShort(health.StartPeriod)) throw fail("StartPeriod");
  if (tooShort(health.StartInterval)) throw fail("StartInterval");
}

/** Throws Docker's messages. */
export function checkHostConfig(hostConfig: HostConfig): void {
  const { AutoRemove, RestartPolicy: policy = {}, Isolation = "" } = hostConfig;
  if ("" in (hostConfig.Annotations ?? {})) {
    throw invalidArgument("invalid Annotations: the empty string is not permitted as an annotation key");
  }
  if (AutoRemove && policy.Name && policy.Name !== "no") {
    throw invalidArgument("can't create 'AutoRemove' container with restart policy");
  }
  for (const entry of hostConfig.ExtraHosts ?? []) checkExtraHost(entry);
  checkPortBindings(hostConfig.PortBindings ?? {});
  checkRestartPolicy(policy);
  if (!/^(|default)$/i.test(Isolation)) {
    throw invalidArgument(`invalid isolation (${Isolation}): linux only supports 'default'`);
  }
  checkNumbers(hostConfig);
  for (const destination of Object.keys(hostConfig.Tmpfs ?? {})) checkTmpfsTarget(destination);
  checkStorage(hostConfig.StorageOpt ?? {});
}

/** Quotas of the writable layer: dockerd has them on XFS only, and says this elsewhere. */
function checkStorage(options: Record<string, string>): void {
  for (const name of Object.keys(options)) {
    if (name.toLowerCase() !== "size") throw internal(`Unknown option ${name}`);
    throw internal("--storage-opt is supported only for overlay over xfs with 'pquota' mount option");
  }
}

function checkNumbers({ ShmSize = 0, OomScoreAdj = 0, ...resources }: HostConfig): void {
  if ((resources.IOMaximumBandwidth ?? 0) > 0) {
    throw invalidArgument("invalid option: QoS maximum bandwidth configuration is not supported on linux");
  }
  if ((resources.IOMaximumIOps ?? 0) > 0) {
    throw invalidArgument("invalid option: QoS maximum IOPs configuration is not supported on linux");
  }
  const { CpuRealtimePeriod: period = 0, CpuRealtimeRuntime: runtime = 0 } = resources;
  if (period !== 0 && runtime > period) {
    throw invalidArgument("cpu real-time runtime cannot be higher than cpu real-time period");
  }
  if (ShmSize < 0) throw invalidArgument("SHM size can not be less than 0");
  if (OomScoreAdj < -1000 || OomScoreAdj > 1000) {
    throw invalidArgument(`Invalid value ${OomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  }
}

/** Throws Docker's messages. */
export function checkRestartPolicy({ Name = "", MaximumRetryCount: count = 0 }: RestartPolicy): void {
  const fail = (reason: string) => invalidArgument(`invalid restart policy: ${reason}`);
  if (!["", "no", "always", "on-failure", "unless-stopped"].includes(Name)) {
    throw fail(`unknown policy '${Name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`);
  }
  if (Name === "on-failure") {
    if (count < 0) throw fail("maximum retry count cannot be negative");
  } else if (count !== 0) {
    const negative = count < 0 ? " and cannot be negative" : "";
    throw fail(`maximum retry count can only be used with 'on-failure'${negative}`);
  }
}

function checkExtraHost(entry: string): void {
  const at = entry.indexOf(":");
  if (at <= 0) throw invalidArgument(`bad format for add-host: ${JSON.stringify(entry)}`);
  const address = entry.slice(at + 1).replace(/^\[(.*)\]$/, "$1");
  if (address !== "host-gateway" && !isIpAddress(address)) {
    throw invalidArgument(`invalid IP address in add-host: ${JSON.stringify(entry.slice(at + 1))}`);
  }
}

function isIpAddress(text: string): boolean {
  return /^\d+\.\d+\.\d+\.\d+$/.test(text) ? URL.canParse(`http://${text}`) : URL.canParse(`http://[${text}]`);
}

function checkPortBindings(ports: PortMap): void {
  const fail = (spec: string) => invalidArgument(`invalid port specification: ${JSON.stringify(spec)}`);
  for (const [port, bindings] of Object.entries(ports)) {
    const number = port.split("/")[0] ?? "";
    if (!isPort(number)) throw fail(number);
    for (const { HostPort = "" } of bindings ?? []) {
      const range = (HostPort.split("/")[0] ?? "").split("-");
      const [first = "", last = first] = range;
      const valid =
        HostPort === "" || (range.length <= 2 && isPort(first) && isPort(last) && Number(first) <= Number(last));
      if (!valid) throw fail(HostPort);
    }
  }
}

function isPort(text: string): boolean {
  return /^\d+$/.test(text) && Number(text) <= 65535;
}

function checkTmpfsTarget(destination: string): void {
  if (/^\/+(\.?\/)*\.?$/.test(destination)) throw invalidArgument("invalid specification: destination can't be '/'");
  if (!destination.startsWith("/")) {
    throw invalidArgument(`invalid mount path: '${destination}' mount path must be absolute`);
  }
}
