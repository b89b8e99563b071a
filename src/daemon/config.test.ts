import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DaemonConfig, readDaemonCommand } from "./config.ts";
import { options } from "./options.ts";

let file: string;

beforeAll(() => {
  file = join(mkdtempSync(join(tmpdir(), "gantry-config-")), "daemon.json");
});

afterAll(() => rmSync(join(file, ".."), { recursive: true }));

function config(argv: string[], json: unknown = {}): DaemonConfig {
  writeFileSync(file, typeof json === "string" ? json : JSON.stringify(json));
  const command = readDaemonCommand(["--config-file", file, ...argv]);
  if (!("config" in command)) throw new Error(`no configuration: ${command.do}`);
  return command.config;
}

describe("the defaults", () => {
  test("are those of the one daemon of a host", () => {
    expect(config([])).toMatchObject({
      hosts: ["unix:///run/gantry.sock"],
      tls: undefined,
      insecure: false,
      dataRoot: "/var/lib/gantry",
      execRoot: "/run/gantry",
      pidfile: "/run/gantry.pid",
      instance: "default",
      cgroupParent: "/gantry",
      logLevel: "info",
      defaults: {
        runtime: "crun",
        runtimes: ["crun", "runc"],
        logDriver: "json-file",
        shmSize: 67_108_864,
        ipcMode: "private",
        init: false,
        ulimits: [],
      },
    });
  });

  test("of other roots keep daemons apart", () => {
    const one = config(["--data-root", "/tmp/a", "--exec-root", "/tmp/b"]);
    const two = config(["--data-root", "/tmp/a", "--exec-root", "/tmp/c"]);
    expect(one.instance).toMatch(/^[0-9a-f]{8}$/);
    expect(two.instance).not.toBe(one.instance);
    expect(one.pidfile).toBe("/tmp/b/gantry.pid");
    expect(one.cgroupParent).toBe(`/gantry-${one.instance}`);
  });
});

test("flags take every form that Docker's do", () => {
  const given = config([
    ...["-H", "unix:///a", "-Hunix:///b", "--host=tcp://127.0.0.1:1", "-Dl", "warn", "--icc=false", "--ip-masq"],
    ...["--default-ulimit", "nofile=10:20", "--default-ulimit=nproc=5", "--default-shm-size", "1g"],
    ...["--add-runtime", "mine=/bin/mine", "--default-runtime", "mine", "--log-opt", "max-size=1m", "--init"],
    ...["--default-address-pool", "base=10.1.0.0/16,size=24", "--dns", "1.1.1.1", "--dns", "::1", "--label", "a=b"],
    ...["--bip", "172.30.0.1/24", "--mtu", "1400", "--shutdown-timeout", "3", "--default-cgroupns-mode", "private"],
  ]);
  expect(given).toMatchObject({
    hosts: ["unix:///a", "unix:///b", "tcp://127.0.0.1:1"],
    debug: true,
    logLevel: "debug",
    labels: ["a=b"],
    shutdownTimeoutMillis: 3000,
    runtimes: { crun: { path: "crun" }, mine: { path: "/bin/mine", runtimeArgs: [] } },
    network: {
      icc: false,
      ipMasq: true,
      bip: "172.30.0.1/24",
      mtu: 1400,
      dns: ["1.1.1.1", "::1"],
      defaultAddressPools: [{ base: "10.1.0.0/16", size: 24 }],
    },
    defaults: {
      runtime: "mine",
      shmSize: 2 ** 30,
      init: true,
      logOpts: { "max-size": "1m" },
      cgroupnsMode: "private",
      ulimits: [
        { Name: "nofile", Soft: 10, Hard: 20 },
        { Name: "nproc", Soft: 5, Hard: 5 },
      ],
    },
  });
});

test("daemon.json has dockerd's keys, and adds to the flags", () => {
  const given = config(["-D"], {
    hosts: ["unix:///x"],
    labels: ["k=v"],
    runtimes: { r: { path: "/r", runtimeArgs: ["--debug"] } },
    "default-ulimits": { nofile: { Name: "nofile", Hard: 64, Soft: 32 } },
    "default-address-pools": [{ base: "10.2.0.0/16", size: 20 }],
    "default-shm-size": "128M",
    "log-opts": { "max-file": "2" },
    "storage-driver": "overlay2",
    "live-restore": true,
    tlsverify: true,
    tlscacert: "/ca",
    mtu: 1300,
  });
  expect(given).toMatchObject({
    debug: true,
    hosts: ["unix:///x"],
    labels: ["k=v"],
    runtimes: { r: { path: "/r", runtimeArgs: ["--debug"] } },
    tls: { verify: true, ca: "/ca" },
    network: { mtu: 1300, defaultAddressPools: [{ base: "10.2.0.0/16", size: 20 }] },
    defaults: { shmSize: 128 * 2 ** 20, ulimits: [{ Name: "nofile", Soft: 32, Hard: 64 }] },
  });
});

describe("dockerd's complaints", () => {
  const flags: [string[], string][] = [
    [["--foo"], "unknown flag: --foo"],
    [["-x"], "unknown shorthand flag: 'x' in -x"],
    [["--mtu"], "flag needs an argument: --mtu"],
    [["extra"], "accepts no arguments"],
    [["--mtu", "x"], 'invalid argument "x" for "--mtu" flag: strconv.ParseInt: parsing "x": invalid syntax'],
    [["--iptables=x"], 'invalid argument "x" for "--iptables" flag: strconv.ParseBool: parsing "x": invalid syntax'],
    [["--label", "x"], 'invalid argument "x" for "--label" flag: bad attribute format: x'],
    [["--add-runtime", "x"], 'invalid argument "x" for "--add-runtime" flag: invalid runtime argument: x'],
    [["--default-ulimit", "x"], 'invalid argument "x" for "--default-ulimit" flag: invalid ulimit argument: x'],
    [["--default-shm-size", "x"], 'invalid argument "x" for "--default-shm-size" flag: invalid size: \'x\''],
    [
      ["--default-address-pool", "x"],
      'invalid argument "x" for "--default-address-pool" flag: invalid field \'x\' must be a key=value pair',
    ],
    [["-l", "foo"], "invalid logging level: foo"],
    [["--log-format", "foo"], "invalid log format: foo"],
    [["--default-runtime", "zz"], "specified default runtime 'zz' does not exist"],
    [["--bip", "10.0.0.1/24", "-b", "br"], "You specified -b & --bip, mutually exclusive options."],
    [["--icc=false", "--iptables=false"], "ICC=false uses iptables to function"],
    [["--exec-opt", "native.cgroupdriver=systemd"], "only native.cgroupdriver=cgroupfs is"],
    [["--userns-remap", "default"], "--userns-remap is not built yet"],
    [["--storage-driver", "btrfs"], "--storage-driver knows only overlay2"],
    [["--api-cors-header", "*"], "--api-cors-header has been removed"],
    [["--label", "a=1", "--label", "a=2"], "conflict labels for a=1 and a=2"],
  ];
  for (const [argv, text] of flags) test(argv.join(" "), () => expect(() => config(argv)).toThrow(text));

  const files: [string[], unknown, string][] = [
    [[], { foo: 1, bar: 2 }, "the following directives don't match any configuration option: foo, bar"],
    [
      ["--debug"],
      { debug: true },
      "the following directives are specified both as a flag and in the configuration file: debug: (from flag: true, from file: true)",
    ],
    [
      ["-H", "unix:///y"],
      { hosts: ["unix:///x"] },
      "configuration file: hosts: (from flag: [unix:///y], from file: [unix:///x])",
    ],
    [["--log-opt", "a=c"], { "log-opts": { a: "b" } }, "log-opts: (from flag: map[a:c], from file: map[a:b])"],
    [[], { debug: "x" }, "invalid JSON: json: cannot unmarshal string into Go struct field Config.debug of type bool"],
    [[], { mtu: "x" }, "invalid JSON: json: cannot unmarshal string into Go struct field Config.mtu of type int"],
    [[], { dns: ["x"] }, "invalid JSON: invalid IP address: x"],
    [[], "{", "invalid JSON"],
    [[], "[]", "the configuration must be an object"],
    [[], { "fixed-cidr-v6": "10.0.0.0/8" }, "invalid CIDR address: 10.0.0.0/8"],
  ];
  for (const [argv, json, text] of files) {
    test(`${argv.join(" ")} with ${JSON.stringify(json)}`, () => expect(() => config(argv, json)).toThrow(text));
  }

  test("a named file must be there", () => {
    expect(() => readDaemonCommand(["--config-file", "/nonexistent.json"])).toThrow(
      "unable to configure the Docker daemon with file /nonexistent.json: open /nonexistent.json: no such file or directory",
    );
  });
});

test("a seccomp profile is read at the start", () => {
  writeFileSync(`${file}.seccomp`, "{}");
  expect(config([]).defaults.seccomp).toBeUndefined();
  expect(config(["--seccomp-profile=builtin"]).defaults.seccomp).toBeUndefined();
  expect(config(["--seccomp-profile=unconfined"]).defaults.seccomp).toEqual({ name: "unconfined", profile: undefined });
  const name = `${file}.seccomp`;
  expect(config([], { "seccomp-profile": name }).defaults.seccomp).toEqual({ name, profile: "{}" });
  expect(() => config(["--seccomp-profile=/nope"])).toThrow(
    "opening seccomp profile (/nope) failed: open /nope: no such file or directory",
  );
});

test("proxies are told by flags or by an object of daemon.json, and are shown without passwords", () => {
  const proxies = { "http-proxy": "http://u:p@h:1", "no-proxy": "x" };
  expect(config([], { proxies }).proxies).toEqual({ http: "http://u:p@h:1", https: undefined, no: "x" });
  expect(() => config(["--http-proxy=http://u:p@h:2"], { proxies })).toThrow(
    "http-proxy: (from flag: http://xxxxx:xxxxx@h:2, from file: http://xxxxx:xxxxx@h:1)",
  );
});

test("directories of CDI: the usual ones, those that are named, or none", () => {
  const directories = (argv: string[], json: object = {}) => config(argv, json).cdiSpecDirs;
  expect(directories([])).toEqual(["/etc/cdi", "/var/run/cdi"]);
  expect(directories(["--cdi-spec-dir=/a", "--cdi-spec-dir=/b"], { features: { cdi: true } })).toEqual(["/a", "/b"]);
  expect(directories(["--feature=cdi", "--cdi-spec-dir="])).toEqual([]);
  expect(directories([], { "cdi-spec-dirs": [] })).toEqual([]);
  expect(directories(["--cdi-spec-dir=/a"], { features: { cdi: false } })).toEqual([]);
  expect(() => directories(["--feature=nope"])).toThrow("feature nope=true is not built");
  expect(() => directories([], { features: { "containerd-snapshotter": true } })).toThrow(
    "feature containerd-snapshotter=true is not built",
  );
});

test("what dockerd is told by yes or no", () => {
  const told = { liveRestore: true, experimental: false, preferBuildkit: true };
  expect(config([])).toMatchObject({ ...told, defaults: { noNewPrivileges: false } });
  const given = config(["--experimental", "--no-new-privileges"], {
    "live-restore": false,
    features: { buildkit: false },
  });
  expect(given).toMatchObject({ liveRestore: false, experimental: true, preferBuildkit: false });
  expect(given.defaults.noNewPrivileges).toBe(true);
});

test("values that say what the daemon does anyway are accepted", () => {
  expect(() =>
    config([
      "--experimental=false",
      "--iptables=false",
      "--ip6tables=false",
      "--userland-proxy=false",
      "--ipv6=false",
      "-s",
      "overlayfs",
    ]),
  ).not.toThrow();
});

test("help lists every built option, and each name is there once", () => {
  const command = readDaemonCommand(["--help"]);
  expect(command.do === "help" && command.text).toContain("-H, --host list");
  expect(readDaemonCommand(["-v"]).do).toBe("version");
  for (const field of ["flag", "short", "key"] as const) {
    const names = options.map((option) => option[field]).filter((name) => name !== undefined);
    expect(new Set(names).size).toBe(names.length);
  }
});
