/** Fills what a config leaves open from another one: moby's daemon/commit.go `merge`. */
import type { ContainerConfig } from "../../api/container-config.ts";

/** `config` wins over `base`; lists of names (environment, ports, labels, volumes) are joined. */
export function mergeRunConfig(config: ContainerConfig, base: ContainerConfig): ContainerConfig {
  const merged = structuredClone(config);
  for (const field of ["User", "WorkingDir", "StopSignal"] as const) {
    const value = merged[field] || base[field];
    if (value) merged[field] = value;
  }
  if (base.ExposedPorts) merged.ExposedPorts = { ...base.ExposedPorts, ...merged.ExposedPorts };
  if (base.Volumes) merged.Volumes = { ...base.Volumes, ...merged.Volumes };
  merged.Env = mergeEnvironment(merged.Env, base.Env);
  merged.Labels = { ...base.Labels, ...merged.Labels };
  if (!merged.Entrypoint?.length) {
    if (!merged.Cmd?.length) merged.Cmd = base.Cmd ?? null;
    // An empty list, not null, says that there shall be none.
    merged.Entrypoint ??= base.Entrypoint ?? null;
  }
  if (base.Healthcheck) merged.Healthcheck = mergeHealthcheck(merged.Healthcheck, base.Healthcheck);
  return merged;
}

function mergeEnvironment(own: ContainerConfig["Env"], base: ContainerConfig["Env"]): string[] | null {
  if (!own?.length) return base ?? null;
  const nameOf = (entry: string) => entry.split("=", 1)[0];
  const names = new Set(own.map(nameOf));
  return [...own, ...(base ?? []).filter((entry) => !names.has(nameOf(entry)))];
}

type Health = NonNullable<ContainerConfig["Healthcheck"]>;

function mergeHealthcheck(own: Health | null | undefined, base: Health): Health {
  const given = Object.entries(own ?? {}).filter(([, value]) => (Array.isArray(value) ? value.length > 0 : value));
  return { ...base, ...Object.fromEntries(given) };
}
