import { expect, test } from "bun:test";
import { defaultCapabilities } from "./capabilities.ts";
import { atLeastKernel, defaultSeccomp, parseSeccomp } from "./seccomp.ts";

const context = { arch: "amd64", kernelRelease: "6.1.0-13-amd64", capabilities: defaultCapabilities };

/** What a profile does with a syscall: the actions of all rules that name it, then the default's. */
function verdict(name: string, capabilities: readonly string[] = defaultCapabilities): string {
  const profile = defaultSeccomp({ ...context, capabilities });
  const rules = (profile.syscalls ?? []).filter((rule) => rule.names.includes(name));
  const words = rules.map(({ action, errnoRet, args }) => `${action.slice(9)}${errnoRet ?? ""}${args ? "?" : ""}`);
  return words.length > 0 ? words.join(" ") : `default ${profile.defaultErrnoRet}`;
}

test("the default profile allows and refuses what Docker's does", () => {
  for (const name of ["read", "openat", "clone", "execve", "ptrace", "chroot", "statmount", "futex_waitv"]) {
    expect(verdict(name)).toStartWith("ALLOW");
  }
  for (const name of [
    "mount",
    "umount2",
    "unshare",
    "setns",
    "pivot_root",
    "keyctl",
    "add_key",
    "bpf",
    "reboot",
    "mbind",
    "perf_event_open",
  ]) {
    expect([name, verdict(name)]).toEqual([name, "ERRNO1"]);
  }
  // A libc that finds no clone3 falls back to clone, whose flags can be filtered.
  expect(verdict("clone3")).toBe("ERRNO38");
  // With any of the flags that make namespaces it is not permitted, and not unknown.
  expect(verdict("clone")).toBe(`ALLOW?${" ERRNO1?".repeat(7)}`);
  expect(verdict("socket")).toBe("ALLOW?");
  // Newer than the profile: as if the kernel did not have it.
  expect(verdict("no_such_call")).toBe("default 38");
});

test("capabilities open what they are for, and no syscall is both allowed and refused", () => {
  expect(verdict("mount", [...defaultCapabilities, "CAP_SYS_ADMIN"])).toBe("ALLOW");
  expect(verdict("clone", [...defaultCapabilities, "CAP_SYS_ADMIN"])).toBe("ALLOW");
  expect(verdict("syslog", ["CAP_SYSLOG"])).toBe("ALLOW");
  expect(verdict("reboot", ["CAP_SYS_BOOT"])).toBe("ALLOW");
  expect(verdict("pivot_root", ["CAP_SYS_ADMIN"])).toBe("ERRNO1");
  for (const capabilities of [
    [],
    defaultCapabilities,
    ["CAP_SYS_ADMIN"],
    ["CAP_SYSLOG", "CAP_BPF", "CAP_SYS_PTRACE"],
  ]) {
    const actions = new Map<string, Set<string>>();
    for (const { names, action, args } of defaultSeccomp({ ...context, capabilities }).syscalls ?? []) {
      if (args) continue;
      for (const name of names) actions.set(name, (actions.get(name) ?? new Set()).add(action));
    }
    expect([...actions].filter(([, kinds]) => kinds.size > 1).map(([name]) => name)).toEqual([]);
  }
});

test("architectures come from the profile's map", () => {
  expect(defaultSeccomp(context).architectures).toEqual(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
  expect(defaultSeccomp({ ...context, arch: "arm64" }).architectures).toEqual(["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]);
});

test("a user's profile is resolved or refused with Docker's messages", () => {
  expect(parseSeccomp("{}", context)).toBeUndefined();
  expect(() => parseSeccomp("{", context)).toThrow("Decoding seccomp profile failed: ");
  expect(() => parseSeccomp("[]", context)).toThrow("Decoding seccomp profile failed");
  const profile = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [
      { name: "chmod", action: "SCMP_ACT_ERRNO", errnoRet: 13 },
      { names: ["a"], action: "SCMP_ACT_ERRNO", includes: { minKernel: "6.2" } },
      { names: ["b"], action: "SCMP_ACT_ERRNO", excludes: { caps: ["CAP_CHOWN"] } },
      { names: ["c"], action: "SCMP_ACT_ERRNO", includes: { arches: ["arm64"] } },
    ],
  };
  expect(parseSeccomp(JSON.stringify(profile), context)?.syscalls).toEqual([
    { names: ["chmod"], action: "SCMP_ACT_ERRNO", errnoRet: 13 },
  ]);
  expect(atLeastKernel("6.1.0-13-amd64", "6.1")).toBe(true);
  expect(atLeastKernel("5.15.0", "6.1")).toBe(false);
});
