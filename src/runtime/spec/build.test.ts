import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { ContainerConfig, HostConfig } from "../../api/container-config.ts";
import { goJson } from "../../base/go-json.ts";
import type { LinuxResources, RuntimeSpec } from "../../oci/runtime-spec.ts";
import { buildSpec } from "./build.ts";
import { containerEnv } from "./env.ts";
import type { NamespaceChoice, SpecInput } from "./input.ts";
import { normalizeConfig, normalizeHostConfig } from "./normalize.ts";
import { testDefaults, testHost } from "./test-host.ts";

interface Recorded {
  hostConfig: HostConfig;
  config: ContainerConfig;
  inspectHostConfig: HostConfig;
  inspectConfig: ContainerConfig;
  spec: RuntimeSpec;
  seccomp: boolean;
}

/** Recorded from dockerd 28.5 on a host with hybrid cgroups: requests, what inspect showed, and what it handed to runc. */
const recorded: Recorded[] = readFileSync(new URL("spec.golden", import.meta.url), "utf8")
  .split("\n")
  .filter(Boolean)
  .map((line) => JSON.parse(line));

const root = { uid: 0, gid: 0, additionalGids: [0, 27], home: "/root" };
const web = { uid: 33, gid: 44, additionalGids: [44, 29, 27], home: "/srv/web" };

function inputOf(config: ContainerConfig, hostConfig: HostConfig): SpecInput {
  const choose = (mode: string | undefined): NamespaceChoice => (mode === "host" ? "host" : "new");
  const user = config.User === "web" ? web : root;
  return {
    id: "ID",
    hostname: config.Hostname ?? "",
    domainname: config.Domainname ?? "",
    config,
    hostConfig,
    command: ["sleep", "100"],
    env: containerEnv({
      env: [config.Env],
      hostname: config.Hostname ?? "",
      tty: config.Tty ?? false,
      home: user.home,
    }),
    user,
    rootfs: "/root",
    mounts: [],
    namespaces: {
      net: choose(hostConfig.NetworkMode),
      pid: choose(hostConfig.PidMode),
      ipc: choose(hostConfig.IpcMode),
      uts: choose(hostConfig.UTSMode),
      cgroup: choose(hostConfig.CgroupnsMode),
    },
    cgroupsPath: "/docker/ID",
    host: testHost,
  };
}

/** Only what a runtime tells apart: empty parts, repeated rules and capabilities are dockerd's own. */
function comparable(spec: RuntimeSpec, seccomp: boolean): unknown {
  const { process, mounts, linux, ociVersion: _, root: rootfs, ...rest } = structuredClone(spec);
  const { devices: rules = [], ...limits } = linux.resources ?? {};
  const { seccomp: __, cgroupsPath: ___, resources: ____, ...others } = linux;
  const env = process.env.filter((entry) => !entry.startsWith("HOME="));
  return {
    ...rest,
    readonly: rootfs.readonly ?? false,
    process: { ...process, env, rlimits: process.rlimits ?? [], capabilities: withoutRepeats(process.capabilities) },
    mounts: mounts.filter(({ type, destination }) => type !== "bind" || destination === "/dev/shm"),
    linux: {
      ...others,
      devices: (linux.devices ?? []).filter(
        () => process.capabilities?.bounding.length !== testHost.capabilities.length,
      ),
      namespaces: linux.namespaces.map(({ type }) => type),
      limits: nonEmpty(limits),
      rules: lastWins(rules),
    },
    seccomp,
  };
}

function withoutRepeats(sets: object | undefined): object {
  return Object.fromEntries(Object.entries(sets ?? {}).map(([name, list]) => [name, [...new Set(list)]]));
}

function nonEmpty(limits: LinuxResources): object {
  const { disableOOMKiller: _, ...memory } = limits.memory ?? {};
  const parts = { ...limits, memory };
  return Object.fromEntries(Object.entries(parts).filter(([, part]) => Object.keys(part).length > 0));
}

/** dockerd writes its default rules twice; -1 is any number. */
function lastWins(rules: NonNullable<LinuxResources["devices"]>): string[] {
  const lines = rules.map((rule) => {
    const number = (value: number | undefined) => (value === undefined || value === -1 ? "*" : value);
    return `${rule.allow} ${rule.type ?? "a"} ${number(rule.major)}:${number(rule.minor)} ${rule.access}`;
  });
  const from = lines.lastIndexOf("false a *:* rwm");
  const everything = lines.lastIndexOf("true a *:* rwm");
  return lines.slice(Math.max(from, everything));
}

test.each(recorded.map((entry) => [JSON.stringify([entry.config, entry.hostConfig]), entry] as const))(
  "%s: inspect and spec are dockerd's",
  (_, { hostConfig, config, inspectHostConfig, inspectConfig, spec, seccomp }) => {
    const normalized = normalizeHostConfig({ NetworkMode: "none", ...hostConfig }, testHost, testDefaults);
    expect(normalized).toEqual(inspectHostConfig);
    expect(Object.keys(normalized).filter((key) => key !== "Mounts")).toEqual(Object.keys(inspectHostConfig));
    const completed = normalizeConfig({
      Image: "bb",
      Cmd: ["sleep", "100"],
      Hostname: inspectConfig.Hostname ?? "",
      ...config,
    });
    expect(completed).toEqual(inspectConfig);
    const input = inputOf(completed, normalized);
    for (const [destination, options] of Object.entries(hostConfig.Tmpfs ?? {})) {
      expect(options).toBe("size=65536k,exec");
      input.mounts.push({
        destination,
        type: "tmpfs",
        source: "tmpfs",
        options: ["nosuid", "nodev", "rprivate", "size=65536k", "exec"],
      });
    }
    const built = buildSpec(input);
    expect(comparable(built, built.linux.seccomp !== undefined) as object).toEqual(comparable(spec, seccomp) as object);
  },
);

describe("what dockerd on that host could not show", () => {
  const build = (hostConfig: HostConfig, more: Partial<SpecInput> = {}) =>
    buildSpec({ ...inputOf({}, hostConfig), ...more });

  test("joined namespaces have paths, and a shared /dev/shm is bound", () => {
    const spec = build(
      { IpcMode: "container:x" },
      {
        shmPath: "/run/shm-of-x",
        namespaces: {
          net: { path: "/run/netns/x" },
          pid: "new",
          ipc: { path: "/proc/7/ns/ipc" },
          uts: "new",
          cgroup: "host",
        },
      },
    );
    expect(spec.linux.namespaces).toEqual([
      { type: "mount" },
      { type: "network", path: "/run/netns/x" },
      { type: "uts" },
      { type: "pid" },
      { type: "ipc", path: "/proc/7/ns/ipc" },
    ]);
    expect(spec.mounts.filter((mount) => mount.destination === "/dev/shm")).toEqual([
      { destination: "/dev/shm", type: "bind", source: "/run/shm-of-x", options: ["rbind", "rprivate"] },
    ]);
  });

  test("the user's mounts take the place of the defaults, outermost first", () => {
    const bind = (destination: string, option = "rprivate") => ({
      destination,
      type: "bind",
      source: "/usr",
      options: ["rbind", option],
    });
    const spec = build(
      {},
      { mounts: [bind("/dev/a/b"), bind("/dev", "rslave"), bind("/sys")], initPath: "/usr/bin/init" },
    );
    expect(spec.mounts.map((mount) => mount.destination)).toEqual([
      "/proc",
      "/sys/fs/cgroup",
      "/sbin/docker-init",
      "/dev",
      "/sys",
      "/dev/a/b",
    ]);
    expect(spec.linux.rootfsPropagation).toBe("rslave");
    expect(spec.process.args).toEqual(["/sbin/docker-init", "--", "sleep", "100"]);
    const namespaces = { net: "new", pid: "host", ipc: "new", uts: "new", cgroup: "new" } as const;
    const shared = build({}, { initPath: "/usr/bin/init", namespaces, cgroupsPath: "../x/ID" });
    expect(shared.process.args).toEqual(["sleep", "100"]);
    expect(shared.linux.cgroupsPath).toBe("/x/ID");
  });

  test("an unlimited ulimit is the kernel's infinity", () => {
    const spec = build({ Ulimits: [{ Name: "core", Soft: 0, Hard: -1 }] });
    expect(goJson(spec)).toContain('"rlimits":[{"type":"RLIMIT_CORE","soft":0,"hard":18446744073709551615}]');
  });

  test("the daemon's ulimits hold where the container has none, as far as the daemon may go", () => {
    const ulimit = (Name: string, Soft: number, Hard: number) => ({ Name, Soft, Hard });
    const { process } = build(
      { Ulimits: [ulimit("nproc", 1, 2)] },
      {
        defaultUlimits: [ulimit("nproc", 5, 6), ulimit("nofile", 1024, -1)],
        host: { ...testHost, rlimits: { nofile: { soft: 512, hard: 4096 } } },
      },
    );
    expect(process.rlimits).toEqual([
      { type: "RLIMIT_NPROC", soft: 1, hard: 2 },
      { type: "RLIMIT_NOFILE", soft: 1024, hard: 4096 },
    ]);
  });

  test("sysctls of the whole machine are refused, as are those of namespaces that the container shares", () => {
    const sysctl =
      (name: string, more: Partial<SpecInput["namespaces"]> = {}) =>
      () =>
        build(
          { Sysctls: { [name]: "1" } },
          { namespaces: { net: "new", pid: "new", ipc: "new", uts: "new", cgroup: "new", ...more } },
        );
    expect(sysctl("kernel.foo")).toThrow('sysctl "kernel.foo" is not in a separate kernel namespace');
    expect(sysctl("kernel.shmmax", { ipc: "host" })).toThrow(
      'sysctl "kernel.shmmax" is not allowed in the hosts ipc namespace',
    );
    expect(sysctl("net.ipv4.ip_forward", { net: "host" })).toThrow(
      'sysctl "net.ipv4.ip_forward" not allowed in host network namespace',
    );
    expect(sysctl("fs.mqueue.msg_max")().linux.sysctl).toHaveProperty(["fs.mqueue.msg_max"], "1");
  });

  test("devices are refused with dockerd's messages", () => {
    const device = (PathOnHost: string) => () =>
      build({ Devices: [{ PathOnHost, PathInContainer: "/dev/x", CgroupPermissions: "rwm" }] });
    const adding = (path: string) => `error gathering device information while adding custom device "${path}": `;
    expect(device("/dev/no-such")).toThrow(`${adding("/dev/no-such")}no such file or directory`);
    expect(device("/etc/passwd")).toThrow(`${adding("/etc/passwd")}not a device node`);
    expect(() => build({ DeviceCgroupRules: ["c *:* rx"] })).toThrow("invalid device cgroup rule format: 'c *:* rx'");
    expect(() => build({ DeviceRequests: [{ Count: -1, Capabilities: [["gpu", "compute"]] }] })).toThrow(
      'could not select device driver "" with capabilities: [[gpu compute]]',
    );
  });

  test("no quota is nothing to tell the runtime", () => {
    expect(build({ CpuQuota: -1, CpuPeriod: 50_000 }).linux.resources?.cpu).toEqual({ period: 50_000 });
  });

  test("a limit on a device that is not there is refused", () => {
    expect(() => build({ BlkioDeviceReadBps: [{ Path: "/dev/no-such", Rate: 5 }] })).toThrow(
      "stat /dev/no-such: no such file or directory",
    );
  });
});

test("what this machine's processors tell of their heat is masked, unless the container is privileged", () => {
  const host = { ...testHost, thermalThrottles: ["/sys/devices/system/cpu/cpu0/thermal_throttle"] };
  const masked = (given: HostConfig) => normalizeHostConfig(given, host, testDefaults).MaskedPaths;
  expect(masked({})?.at(-1)).toBe("/sys/devices/system/cpu/cpu0/thermal_throttle");
  expect(masked({ Privileged: true })).toBeNull();
});
