/** Specs run by a real OCI runtime: what the kernel then does is what a container is. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContainerConfig, HostConfig } from "../../api/container-config.ts";
import { goJson } from "../../base/go-json.ts";
import { cgroupDirectories, readCgroupLayout, removeCgroup } from "../../linux/cgroups/cgroups.ts";
import { readHostFacts } from "../../linux/host-facts.ts";
import { buildSpec } from "./build.ts";
import { containerEnv } from "./env.ts";
import type { SpecInput } from "./input.ts";
import { normalizeHostConfig } from "./normalize.ts";
import { buildExecProcess, buildProcess } from "./process.ts";
import { resolveUser } from "./security/user.ts";
import { testDefaults } from "./test-host.ts";

setDefaultTimeout(20_000);

const busybox = ["/bin/busybox", "/usr/bin/busybox"].find((path) => existsSync(path));
const runtimes = ["crun", "runc"].filter((name) => Bun.which(name) !== null);
const host = readHostFacts();
const parent = `/gantry-spec-${process.pid}`;
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "gantry-spec-"));
  const root = join(directory, "rootfs");
  for (const folder of ["bin", "etc", "proc", "dev", "sys", "tmp", "root"])
    mkdirSync(join(root, folder), { recursive: true });
  // runc gives a tmpfs the mode of what it covers.
  chmodSync(join(root, "tmp"), 0o1777);
  if (busybox) copyFileSync(busybox, join(root, "bin/busybox"));
  for (const name of ["sh", "cat", "grep", "id", "hostname", "touch", "mount", "ls"])
    symlinkSync("busybox", join(root, "bin", name));
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0::/root:/bin/sh\nweb:x:33:44::/tmp:/bin/sh\n");
  writeFileSync(join(root, "etc/group"), "root:x:0:\nweb:x:44:\naudio:x:29:web\n");
});

afterAll(async () => {
  await removeCgroup(readCgroupLayout(), parent);
  rmSync(directory, { recursive: true, force: true });
});

interface Case {
  hostConfig?: HostConfig;
  config?: ContainerConfig;
  namespaces?: Partial<SpecInput["namespaces"]>;
  mounts?: SpecInput["mounts"];
}

function inputFor(script: string, { hostConfig = {}, config = {}, namespaces, mounts = [] }: Case): SpecInput {
  const id = `spec-${Math.random().toString(36).slice(2)}`;
  const rootfs = join(directory, "rootfs");
  const normalized = normalizeHostConfig(hostConfig, host, testDefaults);
  const user = resolveUser(rootfs, config.User, hostConfig.GroupAdd ?? []);
  return {
    id,
    hostname: "inside",
    domainname: config.Domainname ?? "",
    config,
    hostConfig: normalized,
    command: ["sh", "-c", script],
    env: containerEnv({ env: [config.Env], hostname: "inside", tty: false, home: user.home }),
    user,
    rootfs,
    mounts,
    namespaces: { net: "new", pid: "new", ipc: "new", uts: "new", cgroup: "new", ...namespaces },
    cgroupsPath: `${parent}/${id}`,
    host,
  };
}

/** Runs a script in a container and returns its output, errors included. */
function run(runtime: string, script: string, options: Case = {}): string {
  const input = inputFor(script, options);
  const bundle = join(directory, input.id);
  mkdirSync(bundle);
  writeFileSync(join(bundle, "config.json"), goJson(buildSpec(input)));
  // crun cannot run on a hybrid host while it sees the v2 hierarchy.
  const hide = host.cgroupMode === "hybrid" ? `umount ${host.cgroupUnified}; ` : "";
  const command = `${hide}exec ${runtime} --root ${directory}/state run -b ${bundle} ${input.id}`;
  const { stdout, stderr } = Bun.spawnSync(["unshare", "-m", "sh", "-c", command], { stdin: "ignore" });
  return `${stdout}${stderr}`.trim();
}

test.skipIf(busybox === undefined).each(runtimes)("%s: a default container is confined as Docker's is", (runtime) => {
  const output = run(
    runtime,
    "hostname; cat /proc/sys/kernel/domainname; grep -E 'CapEff|Seccomp:' /proc/self/status; echo $HOME; echo $$; touch /sys/x; unshare -m true; ls /sys/firmware; cat /proc/sys/net/ipv4/ip_unprivileged_port_start",
    { config: { Domainname: "dom.x" } },
  );
  expect(output).toContain("inside\ndom.x\nCapEff:\t00000000a80425fb\nSeccomp:\t2\n/root\n1\n0");
  expect(output).toContain("/sys/x: Read-only file system");
});

test.skipIf(busybox === undefined).each(runtimes)("%s: limits, users and options reach the kernel", (runtime) => {
  const output = run(
    runtime,
    "id; cat /proc/self/oom_score_adj; ulimit -n; ulimit -c; grep -E 'CapBnd|NoNewPrivs' /proc/self/status; touch /x; touch /tmp/x && echo written",
    {
      hostConfig: {
        Memory: 64 << 20,
        NanoCpus: 5e8,
        CpuShares: 512,
        PidsLimit: 50,
        OomScoreAdj: 500,
        Ulimits: [
          { Name: "nofile", Soft: 100, Hard: 200 },
          { Name: "core", Soft: 0, Hard: 0 },
        ],
        CapDrop: ["all"],
        CapAdd: ["net_admin"],
        SecurityOpt: ["no-new-privileges"],
        ReadonlyRootfs: true,
        Sysctls: { "net.core.somaxconn": "77" },
        GroupAdd: ["7"],
      },
      config: { User: "web" },
      mounts: [
        { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "rprivate", "mode=1777"] },
        { destination: "/dev/shared", type: "bind", source: directory, options: ["rbind", "rro", "rprivate"] },
      ],
    },
  );
  expect(output).toContain("uid=33(web) gid=44(web) groups=7,29(audio),44(web)\n500\n100\n0\n");
  expect(output).toContain("CapBnd:\t0000000000001000\nNoNewPrivs:\t1\n");
  expect(output).toContain("written");
  expect(output).toContain("/x: Read-only file system");
});

test.skipIf(busybox === undefined)("the cgroup files hold the limits", () => {
  const [runtime = ""] = runtimes;
  const v2 = host.cgroupMode === "v2";
  const files = v2 ? "memory.max pids.max" : "memory/memory.limit_in_bytes pids/pids.max";
  const output = run(runtime, `cd /sys/fs/cgroup && cat ${files}`, { hostConfig: { Memory: 64 << 20, PidsLimit: 50 } });
  expect(output).toBe(`${64 << 20}\n50`);
  expect(cgroupDirectories(readCgroupLayout(), parent).length).toBeGreaterThan(0);
});

test.skipIf(busybox === undefined)("privileged has what the daemon has; host namespaces are the host's", () => {
  const [runtime = ""] = runtimes;
  const output = run(
    runtime,
    "grep -E 'CapEff|Seccomp:' /proc/self/status; ls /dev/full /sys/firmware >/dev/null && echo seen; hostname",
    {
      hostConfig: { Privileged: true, UTSMode: "host" },
      namespaces: { net: "host", uts: "host" },
    },
  );
  const own = /CapBnd:\t(\w+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  expect(output).toStartWith(`CapEff:\t${own}\nSeccomp:\t0\nseen\n`);
  expect(output).not.toContain("inside");
});

test("an exec inherits from its container what Docker lets it", () => {
  const input = inputFor("true", {
    hostConfig: { CapDrop: ["ALL"], SecurityOpt: ["no-new-privileges"] },
    config: { WorkingDir: "/srv" },
  });
  const exec = {
    args: ["id"],
    env: ["A=b"],
    user: resolveUser(input.rootfs, "web"),
    tty: true,
    consoleSize: [10, 20] as [number, number],
    privileged: false,
  };
  expect(buildExecProcess(input, exec)).toEqual({
    terminal: true,
    consoleSize: { height: 10, width: 20 },
    user: { uid: 33, gid: 44, additionalGids: [44, 29] },
    args: ["id"],
    env: ["A=b"],
    cwd: "/srv",
    capabilities: { bounding: [], effective: [], permitted: [] },
    noNewPrivileges: true,
    rlimits: [],
  });
  const told = { ...input, hostConfig: { SecurityOpt: ["no-new-privileges=false"] }, defaultNoNewPrivileges: true };
  const gains = ({ SecurityOpt }: { SecurityOpt: string[] }) =>
    buildExecProcess({ ...told, hostConfig: { SecurityOpt } }, exec).noNewPrivileges ?? false;
  expect([gains(told.hostConfig), gains({ SecurityOpt: [] })]).toEqual([false, true]);
  const privileged = buildExecProcess(input, { ...exec, privileged: true, cwd: "/tmp" });
  expect(privileged.capabilities?.bounding).toEqual(host.capabilities);
  expect(privileged.cwd).toBe("/tmp");
  expect(buildProcess(input).capabilities?.bounding).toEqual([]);
});
