/** Everything that `create` and `update` refuse or warn about before anything is made, in dockerd 28.5's words and order. */
import type { ContainerConfig, HostConfig, Resources, RestartPolicy } from "../../api/container-config.ts";
import { invalidArgument } from "../../base/errors.ts";
import type { HostFacts } from "../../linux/host-facts.ts";
import { normalizeCapabilities } from "./capabilities.ts";
import { checkConfig, checkHostConfig, checkRestartPolicy } from "./check-config.ts";
import { checkModes } from "./check-modes.ts";
import { checkResources } from "./check-resources.ts";
import type { DaemonDefaults } from "./input.ts";
import { checkLogConfig } from "./log-config.ts";
import { parseSecurityOptions } from "./security-opt.ts";

/**
 * Checks what the client sent, before `normalizeHostConfig`. Returns warnings for the client; throws EngineErrors. Binds, mounts and
 * volumes are `planMounts`' to check, networks and other containers the caller's.
 */
export function validateCreate(
  config: ContainerConfig,
  hostConfig: HostConfig,
  facts: HostFacts,
  defaults: Pick<DaemonDefaults, "runtimes" | "logDriver">,
): string[] {
  checkModes(config, hostConfig);
  checkConfig(config);
  checkHostConfig(hostConfig);
  normalizeCapabilities(hostConfig.CapAdd ?? [], facts, "CapAdd");
  normalizeCapabilities(hostConfig.CapDrop ?? [], facts, "CapDrop");
  const { warnings } = checkResources(hostConfig, facts);
  warnings.push(...networkWarnings(hostConfig, facts));
  const runtime = hostConfig.Runtime || undefined;
  if (runtime !== undefined && !defaults.runtimes.includes(runtime)) {
    throw invalidArgument(`unknown or invalid runtime name: ${runtime}`);
  }
  if (hostConfig.CgroupnsMode === "private" && !facts.cgroupNamespaces) {
    warnings.push("Your kernel does not support cgroup namespaces.  Cgroup namespace setting discarded.");
  }
  parseSecurityOptions(hostConfig.SecurityOpt);
  checkLogConfig({ ...hostConfig.LogConfig, Type: hostConfig.LogConfig?.Type || defaults.logDriver });
  return warnings;
}

function networkWarnings(hostConfig: HostConfig, facts: HostFacts): string[] {
  const mode = hostConfig.NetworkMode ?? "";
  const warnings: string[] = [];
  if (!facts.ipForward && mode !== "host" && mode !== "none") {
    warnings.push("IPv4 forwarding is disabled. Networking will not work.");
  }
  if (mode === "host" && Object.keys(hostConfig.PortBindings ?? {}).length > 0) {
    warnings.push("Published ports are discarded when using host network mode");
  }
  return warnings;
}

/**
 * Checks an update against the container it is for and returns the new HostConfig with warnings. Fields of value 0, "" or null are
 * left as they are, as Docker does. Throws EngineErrors.
 */
export function validateUpdate(
  current: HostConfig,
  request: Resources & { RestartPolicy?: RestartPolicy },
  facts: HostFacts,
): { hostConfig: HostConfig; warnings: string[] } {
  if (request.RestartPolicy) checkRestartPolicy(request.RestartPolicy);
  const { resources: checked, warnings } = checkResources(request, facts, { update: true });
  if (current.AutoRemove && checked.RestartPolicy?.Name && checked.RestartPolicy.Name !== "no") {
    throw invalidArgument("Restart policy cannot be updated because AutoRemove is enabled for the container");
  }
  checkAgainstCurrent(current, checked);
  const hostConfig: HostConfig = { ...current, ...changed(checked) };
  if (checked.NanoCpus) Object.assign(hostConfig, { CpuPeriod: 0, CpuQuota: 0 });
  if (typeof request.PidsLimit === "number" && request.PidsLimit <= 0) hostConfig.PidsLimit = null;
  if (checked.RestartPolicy?.Name) {
    const { Name, MaximumRetryCount = 0 } = checked.RestartPolicy;
    hostConfig.RestartPolicy = { Name, MaximumRetryCount };
  }
  return { hostConfig, warnings };
}

function checkAgainstCurrent(current: HostConfig, request: Resources): void {
  if ((request.NanoCpus ?? 0) > 0 && (current.CpuPeriod ?? 0) > 0) {
    throw conflictingUpdate("CPU Period", "NanoCPUs");
  }
  if ((request.NanoCpus ?? 0) > 0 && (current.CpuQuota ?? 0) > 0) throw conflictingUpdate("CPU Quota", "NanoCPUs");
  if ((request.CpuPeriod ?? 0) > 0 && (current.NanoCpus ?? 0) > 0) throw conflictingUpdate("NanoCPUs", "CPU Period");
  if ((request.CpuQuota ?? 0) > 0 && (current.NanoCpus ?? 0) > 0) throw conflictingUpdate("NanoCPUs", "CPU Quota");
  const memory = request.Memory || 0;
  const swap = request.MemorySwap || current.MemorySwap || 0;
  if (memory > 0 && swap > 0 && memory > swap) {
    throw invalidArgument(
      "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
    );
  }
}

function conflictingUpdate(present: string, wanted: string) {
  return invalidArgument(`Conflicting options: ${wanted} cannot be updated as ${present} has already been set`);
}

const updatable = [
  "BlkioWeight",
  "CpuShares",
  "NanoCpus",
  "CpuPeriod",
  "CpuQuota",
  "CpuRealtimePeriod",
  "CpuRealtimeRuntime",
  "CpusetCpus",
  "CpusetMems",
  "Memory",
  "MemorySwap",
  "MemoryReservation",
  "PidsLimit",
] as const satisfies readonly (keyof Resources)[];

/** The fields that the request sets. */
export function changed(request: Resources): Resources {
  return Object.fromEntries(updatable.filter((field) => request[field]).map((field) => [field, request[field]]));
}
