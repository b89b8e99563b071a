/** Everything that `create` and `update` refuse or warn about before anything is made, in dockerd 28.5's words and order. */
import type { ContainerConfig, HostConfig, Resources, RestartPolicy } from "../../../api/container-config.ts";
import { conflict, invalidArgument } from "../../../base/errors.ts";
import type { HostFacts } from "../../../linux/host-facts.ts";
import type { DaemonDefaults } from "../input.ts";
import { checkLogConfig } from "../log-config.ts";
import { normalizeCapabilities } from "../security/capabilities.ts";
import { parseSecurityOptions } from "../security/security-opt.ts";
import { checkConfig, checkHostConfig, checkRestartPolicy } from "./check-config.ts";
import { checkModes } from "./check-modes.ts";
import { checkResources } from "./check-resources.ts";

/**
 * Checks what the client sent, before its image adds to it (which may expose ports or check health in any mode) and before
 * `normalizeHostConfig`. Returns warnings for the client; throws EngineErrors. Binds, mounts and
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
  return [...warnings, ...discardedPorts(hostConfig)];
}

/** What is said of ports that the host's network makes pointless. */
export function discardedPorts({ NetworkMode, PortBindings }: HostConfig): string[] {
  const discarded = NetworkMode === "host" && Object.keys(PortBindings ?? {}).length > 0;
  return discarded ? ["Published ports are discarded when using host network mode"] : [];
}

/**
 * Checks an update against the container it is for and returns the new HostConfig with warnings. Fields of value 0, "" or null are
 * left as they are, as Docker does. Throws EngineErrors; those that the container's state causes are conflicts and name it.
 */
export function validateUpdate(
  current: HostConfig,
  request: Resources & { RestartPolicy?: RestartPolicy },
  facts: HostFacts,
  containerId = "",
): { hostConfig: HostConfig; warnings: string[] } {
  if (request.RestartPolicy) checkRestartPolicy(request.RestartPolicy);
  const { resources: checked, warnings } = checkResources(request, facts, { update: true });
  const problem = conflictWith(current, checked);
  if (problem !== undefined) throw conflict(`Cannot update container ${containerId}: ${problem}`);
  const hostConfig: HostConfig = { ...current, ...changed(checked) };
  if (typeof request.PidsLimit === "number" && request.PidsLimit <= 0) hostConfig.PidsLimit = 0;
  if (checked.RestartPolicy?.Name) {
    const { Name, MaximumRetryCount = 0 } = checked.RestartPolicy;
    hostConfig.RestartPolicy = { Name, MaximumRetryCount };
  }
  return { hostConfig, warnings: [...warnings, ...networkWarnings({}, facts)] };
}

function conflictWith(current: HostConfig, request: Resources & { RestartPolicy?: RestartPolicy }): string | undefined {
  const { NanoCpus = 0, CpuPeriod = 0, CpuQuota = 0, Memory = 0, MemorySwap = 0, RestartPolicy: policy } = request;
  const options = (wanted: string, present: string) =>
    `Conflicting options: ${wanted} cannot be updated as ${present} has already been set`;
  if (NanoCpus > 0 && (current.CpuPeriod ?? 0) > 0) return options("Nano CPUs", "CPU Period");
  if (NanoCpus > 0 && (current.CpuQuota ?? 0) > 0) return options("Nano CPUs", "CPU Quota");
  if (CpuPeriod > 0 && (current.NanoCpus ?? 0) > 0) return options("CPU Period", "NanoCPUs");
  if (CpuQuota > 0 && (current.NanoCpus ?? 0) > 0) return options("CPU Quota", "NanoCPUs");
  if (Memory !== 0 && MemorySwap === 0 && Memory > (current.MemorySwap ?? 0)) {
    return "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time";
  }
  if (current.AutoRemove && policy?.Name && policy.Name !== "no") {
    return "Restart policy cannot be updated because AutoRemove is enabled for the container";
  }
  return undefined;
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
