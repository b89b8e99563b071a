/** The process of a container or exec: user, capabilities, limits, terminal. */
import type { Ulimit } from "../../api/container-config.ts";
import type { SpecProcess, SpecRlimit } from "../../oci/runtime-spec.ts";
import type { ExecContainer, ExecInput, SpecInput } from "./input.ts";
import { withInit } from "./mounts.ts";
import { resolveCapabilities } from "./security/capabilities.ts";
import { parseSecurityOptions } from "./security/security-opt.ts";
import type { ResolvedUser } from "./security/user.ts";

export function buildProcess(input: SpecInput): SpecProcess {
  const { config, hostConfig, host } = input;
  const tty = config.Tty ?? false;
  const score = hostConfig.OomScoreAdj ?? 0;
  return {
    ...terminal(tty, hostConfig.ConsoleSize),
    user: userOf(input.user),
    args: withInit(input.command, input.initPath),
    env: input.env,
    cwd: config.WorkingDir || "/",
    ...privileges(input, hostConfig.Privileged ?? false),
    rlimits: rlimitsOf(input),
    // A default of 0 that is below the daemon's own score needs CAP_SYS_RESOURCE: then it is inherited.
    ...(score !== 0 || host.oomScoreAdj <= 0 ? { oomScoreAdj: score } : {}),
  };
}

/** The process of an exec, which `exec --process` takes. */
export function buildExecProcess(container: ExecContainer, exec: ExecInput): SpecProcess {
  return {
    ...terminal(exec.tty, exec.consoleSize),
    user: userOf(exec.user),
    args: exec.args,
    env: exec.env,
    cwd: exec.cwd || container.config.WorkingDir || "/",
    ...privileges(container, exec.privileged || (container.hostConfig.Privileged ?? false)),
    rlimits: rlimitsOf(container),
  };
}

function privileges({ hostConfig, host, defaultNoNewPrivileges = false }: ExecContainer, privileged: boolean) {
  const list = resolveCapabilities({ ...hostConfig, Privileged: privileged }, host);
  const { noNewPrivileges = defaultNoNewPrivileges, apparmor } = parseSecurityOptions(hostConfig.SecurityOpt);
  const profile = apparmor ?? (privileged ? "unconfined" : undefined);
  return {
    capabilities: { bounding: list, effective: list, permitted: list },
    ...(noNewPrivileges ? { noNewPrivileges } : {}),
    ...(host.apparmor && profile !== undefined ? { apparmorProfile: profile } : {}),
  };
}

function userOf({ uid, gid, additionalGids }: ResolvedUser) {
  return { uid, gid, additionalGids };
}

function terminal(
  tty: boolean,
  size: [number, number] | null | undefined,
): Pick<SpecProcess, "terminal" | "consoleSize"> {
  if (!tty) return {};
  const [height = 0, width = 0] = size ?? [];
  return { terminal: true, ...(height > 0 && width > 0 ? { consoleSize: { height, width } } : {}) };
}

/** The container's own ulimits as asked for, then the daemon's defaults as far as this process may raise them. */
function rlimitsOf({ hostConfig, host, defaultUlimits = [] }: ExecContainer): SpecRlimit[] {
  const own = (hostConfig.Ulimits ?? []).map(toRlimit);
  const named = new Set(own.map(({ type }) => type));
  const defaults = defaultUlimits.flatMap((ulimit) => {
    const { type, soft, hard } = toRlimit(ulimit);
    const most = host.rlimits[ulimit.Name.toLowerCase()]?.hard ?? Number.POSITIVE_INFINITY;
    return named.has(type) ? [] : [{ type, soft: Math.min(soft, most), hard: Math.min(hard, most) }];
  });
  return [...own, ...defaults];
}

function toRlimit({ Name, Soft, Hard }: Ulimit): SpecRlimit {
  const value = (limit = 0) => (limit < 0 ? Number.POSITIVE_INFINITY : limit);
  return { type: `RLIMIT_${Name.toUpperCase()}`, soft: value(Soft), hard: value(Hard) };
}
