/** Platforms, `os[/architecture[/variant]]`, as containerd's platforms package parses and matches them. */
import { invalidArgument } from "../base/errors.ts";

export interface Platform {
  os: string;
  architecture: string;
  variant?: string;
}

const operatingSystems = new Set(
  "aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris windows zos".split(
    " ",
  ),
);
const architectures = new Set(
  (
    "386 amd64 amd64p32 arm armbe arm64 arm64be ppc64 ppc64le loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le " +
    "ppc riscv riscv64 s390 s390x sparc sparc64 wasm"
  ).split(" "),
);
const nodeArchitectures: Record<string, string> = { x64: "amd64", ia32: "386", mipsel: "mipsle" };

/** What this machine runs. */
export function hostPlatform(): Platform {
  return normalize("linux", nodeArchitectures[process.arch] ?? process.arch, process.arch === "arm64" ? "v8" : "");
}

/** Throws `invalid-argument` in containerd's words; what is left out comes from the host. */
export function parsePlatform(specifier: string): Platform {
  const parts = specifier.split("/");
  if (!/^[A-Za-z0-9_-]+$/.test(parts[0] as string)) {
    throw invalidArgument(
      `"${parts[0]}" is an invalid OS component of "${specifier}": OSAndVersion specifier component must match "^([A-Za-z0-9_-]+)(?:\\\\(([A-Za-z0-9_.-]*)\\\\))?$": invalid argument`,
    );
  }
  for (const part of parts) {
    if (!/^[A-Za-z0-9_.-]+$/.test(part)) {
      throw invalidArgument(
        `"${part}" is an invalid component of "${specifier}": platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument`,
      );
    }
  }
  const [first = "", second, third] = parts;
  if (parts.length > 3) throw invalidArgument(`"${specifier}": cannot parse platform specifier: invalid argument`);
  if (second !== undefined) return normalize(normalizeOs(first), second, third ?? "");
  const os = normalizeOs(first);
  if (operatingSystems.has(os)) return { ...hostPlatform(), os };
  const platform = normalize("linux", first, "");
  if (architectures.has(platform.architecture)) return platform;
  throw invalidArgument(`"${specifier}": unknown operating system or architecture: invalid argument`);
}

export function formatPlatform(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join("/");
}

/** True when something built for `offered` is what `wanted` asks for: a variant counts only where both have one. */
export function matchesPlatform(wanted: Platform, offered: Platform): boolean {
  const left = normalize(wanted.os, wanted.architecture, wanted.variant ?? "");
  const right = normalize(offered.os, offered.architecture, offered.variant ?? "");
  if (left.os !== right.os || left.architecture !== right.architecture) return false;
  return left.variant === undefined || right.variant === undefined || left.variant === right.variant;
}

function normalizeOs(os: string): string {
  const lower = os.toLowerCase();
  return lower === "macos" ? "darwin" : lower;
}

/** Other names of one architecture, and variants that say nothing, become one. */
function normalize(os: string, architecture: string, variant: string): Platform {
  let arch = architecture.toLowerCase();
  let kind = variant.toLowerCase();
  if (arch === "i386") [arch, kind] = ["386", ""];
  else if (/^(x86_64|x86-64|amd64)$/.test(arch)) [arch, kind] = ["amd64", kind === "v1" ? "" : kind];
  else if (/^(aarch64|arm64)$/.test(arch)) [arch, kind] = ["arm64", kind === "8" || kind === "v8" ? "" : kind];
  else if (arch === "armhf") [arch, kind] = ["arm", "v7"];
  else if (arch === "armel") [arch, kind] = ["arm", "v6"];
  else if (arch === "arm") kind = kind === "" ? "v7" : kind.replace(/^([5678])$/, "v$1");
  return { os, architecture: arch, ...(kind === "" ? {} : { variant: kind }) };
}
