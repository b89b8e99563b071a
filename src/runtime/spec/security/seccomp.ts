/**
 * Seccomp: Docker's profile format (`archMap`, `includes`, `excludes`) resolved, for one architecture, kernel and set of
 * capabilities, into what the OCI runtime takes. The default profile is containers-common's, tightened to what Docker allows.
 */
import { errorMessage, internal } from "../../../base/errors.ts";
import type { LinuxSeccomp, SeccompArg, SeccompSyscall } from "../../../oci/runtime-spec.ts";
import defaultProfile from "../seccomp-default.json" with { type: "json" };

interface Filter {
  caps?: string[];
  arches?: string[];
  minKernel?: string;
}

interface ProfileSyscall {
  name?: string;
  names?: string[];
  action: string;
  errnoRet?: number | null;
  args?: (Partial<SeccompArg> & { index: number; op: string })[] | null;
  includes?: Filter | null;
  excludes?: Filter | null;
}

interface Profile {
  defaultAction?: string;
  defaultErrnoRet?: number | null;
  architectures?: string[] | null;
  archMap?: { architecture: string; subArchitectures?: string[] | null }[] | null;
  flags?: string[];
  listenerPath?: string;
  listenerMetadata?: string;
  syscalls?: ProfileSyscall[] | null;
}

export interface SeccompContext {
  /** Docker's word: `amd64`. */
  arch: string;
  kernelRelease: string;
  /** Those of the container. */
  capabilities: readonly string[];
}

export function defaultSeccomp(context: SeccompContext): LinuxSeccomp {
  return resolveProfile(defaultProfile, context);
}

/** A profile that a user gave as JSON. An empty object means no filter, as in Docker. Throws Docker's messages. */
export function parseSeccomp(json: string, context: SeccompContext): LinuxSeccomp | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (error) {
    throw internal(`Decoding seccomp profile failed: ${errorMessage(error)}`, { cause: error });
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw internal("Decoding seccomp profile failed: json: cannot unmarshal into Go value of type seccomp.Seccomp");
  }
  const profile = parsed as Profile;
  if (!profile.defaultAction && !profile.syscalls?.length) return undefined;
  return resolveProfile(profile, context);
}

function resolveProfile(profile: Profile, context: SeccompContext): LinuxSeccomp {
  if (profile.architectures?.length && profile.archMap?.length) {
    throw internal(
      "both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or 'archMap'",
    );
  }
  const { defaultErrnoRet, flags, listenerPath, listenerMetadata } = profile;
  return {
    defaultAction: profile.defaultAction ?? "SCMP_ACT_KILL",
    ...(typeof defaultErrnoRet === "number" ? { defaultErrnoRet } : {}),
    architectures: architecturesOf(profile, context.arch),
    ...(flags?.length ? { flags } : {}),
    ...(listenerPath ? { listenerPath } : {}),
    ...(listenerMetadata ? { listenerMetadata } : {}),
    syscalls: (profile.syscalls ?? []).filter((rule) => applies(rule, context)).map(toRule),
  };
}

function architecturesOf(profile: Profile, arch: string): string[] {
  if (profile.architectures?.length) return profile.architectures;
  const native = seccompArches[arch];
  const entry = profile.archMap?.find((candidate) => candidate.architecture === native);
  return entry ? [entry.architecture, ...(entry.subArchitectures ?? [])] : [];
}

function applies({ includes, excludes }: ProfileSyscall, context: SeccompContext): boolean {
  const { arch, kernelRelease, capabilities } = context;
  const has = (name: string) => capabilities.includes(name);
  if (excludes?.arches?.includes(arch) || excludes?.caps?.some(has)) return false;
  if (excludes?.minKernel !== undefined && atLeastKernel(kernelRelease, excludes.minKernel)) return false;
  if (includes?.arches?.length && !includes.arches.includes(arch)) return false;
  if (includes?.caps?.length && !includes.caps.every(has)) return false;
  return includes?.minKernel === undefined || atLeastKernel(kernelRelease, includes.minKernel);
}

function toRule({ name, names = [], action, errnoRet, args }: ProfileSyscall): SeccompSyscall {
  if (name !== undefined && names.length > 0) {
    throw internal("both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'");
  }
  return {
    names: name === undefined ? names : [name],
    action,
    ...(typeof errnoRet === "number" ? { errnoRet } : {}),
    ...(args?.length ? { args: args.map((arg) => ({ value: 0, ...arg })) } : {}),
  };
}

/** `6.1.0-13-amd64` against `4.8`. */
export function atLeastKernel(release: string, minimum: string): boolean {
  const [have, want] = [release, minimum].map((text) => text.split(/[.-]/).map(Number));
  const [major, minor] = [(have?.[0] ?? 0) - (want?.[0] ?? 0), (have?.[1] ?? 0) - (want?.[1] ?? 0)];
  return major > 0 || (major === 0 && minor >= 0);
}

const seccompArches: Record<string, string> = {
  amd64: "SCMP_ARCH_X86_64",
  "386": "SCMP_ARCH_X86",
  arm64: "SCMP_ARCH_AARCH64",
  arm: "SCMP_ARCH_ARM",
  mips64: "SCMP_ARCH_MIPS64",
  mips64le: "SCMP_ARCH_MIPSEL64",
  ppc64le: "SCMP_ARCH_PPC64LE",
  riscv64: "SCMP_ARCH_RISCV64",
  s390x: "SCMP_ARCH_S390X",
};
