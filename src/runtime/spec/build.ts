/** Puts a container's runtime spec together. Source: OCI Runtime Specification 1.2; values as dockerd 28.5 writes them. */
import { join } from "node:path";
import { internal } from "../../base/errors.ts";
import type { LinuxResources, LinuxSeccomp, LinuxSpec, RuntimeSpec } from "../../oci/runtime-spec.ts";
import { buildDevices } from "./devices.ts";
import type { SpecInput } from "./input.ts";
import { buildMounts } from "./mounts.ts";
import { buildNamespaces } from "./namespaces.ts";
import { buildProcess } from "./process.ts";
import { buildResources } from "./resources.ts";
import { defaultSeccomp, parseSeccomp } from "./security/seccomp.ts";
import { parseSecurityOptions } from "./security/security-opt.ts";
import { buildSysctls } from "./sysctls.ts";

/** Reads device nodes and nothing else. Throws EngineErrors in Docker's words. */
export function buildSpec(given: SpecInput): RuntimeSpec {
  const input = withoutUselessInit(given);
  const { hostConfig } = input;
  const security = parseSecurityOptions(hostConfig.SecurityOpt);
  const { mounts, rootfsPropagation } = buildMounts(input, security.writableCgroups ?? hostConfig.Privileged ?? false);
  const process = buildProcess(input);
  const annotations = { ...hostConfig.Annotations, ...input.annotations };
  return {
    ociVersion: "1.0.2",
    ...(input.namespaces.uts === "host" ? {} : { hostname: input.hostname }),
    process,
    root: { path: input.rootfs, ...(hostConfig.ReadonlyRootfs ? { readonly: true } : {}) },
    mounts,
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    linux: {
      ...buildLinux(input, seccompOf(input, process.capabilities?.bounding ?? [], security.seccomp)),
      ...(rootfsPropagation === undefined ? {} : { rootfsPropagation }),
    },
  };
}

/** In the host's or another container's pid namespace there is an init already. */
function withoutUselessInit(input: SpecInput): SpecInput {
  if (input.namespaces.pid === "new") return input;
  const { initPath: _, ...rest } = input;
  return rest;
}

function buildLinux(input: SpecInput, seccomp: LinuxSeccomp | undefined): LinuxSpec {
  const { hostConfig } = input;
  const { devices, rules } = buildDevices(hostConfig);
  const sysctl = buildSysctls(input);
  return {
    namespaces: buildNamespaces(input.namespaces),
    ...(devices.length > 0 ? { devices } : {}),
    cgroupsPath: join("/", input.cgroupsPath),
    resources: { devices: rules, ...newCgroup(buildResources(hostConfig)) },
    ...(Object.keys(sysctl).length > 0 ? { sysctl } : {}),
    ...(seccomp === undefined ? {} : { seccomp }),
    ...(hostConfig.MaskedPaths?.length ? { maskedPaths: hostConfig.MaskedPaths } : {}),
    ...(hostConfig.ReadonlyPaths?.length ? { readonlyPaths: hostConfig.ReadonlyPaths } : {}),
  };
}

/** A new cgroup has no CPU quota, and crun fails on being told so. */
function newCgroup(resources: LinuxResources): LinuxResources {
  const { cpu } = resources;
  if (cpu?.quota === undefined || cpu.quota >= 0) return resources;
  const { quota: _, ...rest } = cpu;
  return { ...resources, cpu: rest };
}

/** A privileged container has a filter only when one was named. */
function seccompOf(input: SpecInput, capabilities: string[], profile: string | undefined): LinuxSeccomp | undefined {
  const { host, hostConfig } = input;
  if (profile === "unconfined") return undefined;
  const named = profile !== undefined && profile !== "" && profile !== "builtin";
  if (hostConfig.Privileged && !named) return undefined;
  if (!host.seccomp) {
    if (!named) return undefined;
    throw internal("seccomp is not enabled in your kernel, cannot run a custom seccomp profile");
  }
  const context = { arch: host.arch, kernelRelease: host.kernelRelease, capabilities };
  if (named) return parseSeccomp(profile, context);
  const standard = profile === "builtin" ? undefined : input.defaultSeccomp;
  if (!standard) return defaultSeccomp(context);
  return standard.profile === undefined ? undefined : parseSeccomp(standard.profile, context);
}
