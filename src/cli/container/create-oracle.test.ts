/**
 * The real docker CLI as oracle: for each command line, what `docker create` sends to the daemon must be what we send, and where it refuses,
 * we must refuse in the same words. Its answers are kept in create-oracle.golden; `GANTRY_ORACLE=check` asks the installed CLI again.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { errorMessage } from "../../base/errors.ts";
import { parseFlags } from "../flags.ts";
import { createBody } from "./create/create-config.ts";
import { command } from "./create.ts";

/** `check`: ask the docker CLI again and compare; `record`: write the golden file anew. */
const mode = process.env["GANTRY_ORACLE"] ?? "";
const oracleVersion = mode === "" ? "" : dockerVersion();
const isOracle = /^28\.2\./.test(oracleVersion);
if (mode !== "" && !isOracle) {
  console.warn(`create-oracle: not asked, docker CLI 28.2 is needed and ${oracleVersion || "none"} was found`);
}
const goldenPath = new URL("create-oracle.golden", import.meta.url).pathname;

const folder = mkdtempSync(join(tmpdir(), "gantry-create-oracle-"));
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

const envFile = file("env", "# comment\nA=1\n\nB=two words \nORACLE_SET\nORACLE_UNSET\n C=3\nD=a=b\n");
const labelFile = file("labels", "x=1\ny\nz=a=b\n");
const badFile = file("bad", "no space here=1\n");
const seccomp = file("seccomp.json", '{\n  "defaultAction": "SCMP_ACT_ALLOW"\n}\n');

/** Command lines after `create`; each must give the same body. */
const accepted = [
  "img",
  "img cmd -a --b=c -- d",
  "-it img sh",
  "-i img",
  "-a stdin -a STDOUT img",
  "-a stderr img",
  "--interactive=false --tty=true img",
  "-h host --domainname example.org -u 1:2 -w /srv/app img",
  "-e A=1 -e B= -e ORACLE_SET -e ORACLE_UNSET -e A=2 img",
  `--env-file ${envFile} -e Z=26 img`,
  `-l a -l b=c=d --label-file ${labelFile} img`,
  "--entrypoint /bin/sh img -c true",
  "--entrypoint= img",
  "-v /host:/c -v /only -v named:/d:ro -v ./rel:/e -v ../up:/f:rw,z -v . img",
  "-v /a:/b -v /a:/b -v a:b:c:d img",
  "--volume-driver local --volumes-from x --volumes-from y:ro img",
  "--tmpfs /run --tmpfs /tmp:size=64m,exec img",
  "--mount type=bind,source=/a,target=/b,readonly img",
  "--mount type=bind,src=./x,dst=/b,bind-propagation=rshared,ro=false img",
  "--mount type=bind,src=/x,dst=/b,ro,bind-recursive=writable img",
  "--mount type=bind,src=/x,dst=/b,ro,bind-recursive=readonly,bind-propagation=rprivate img",
  "--mount type=bind,src=/x,dst=/b,bind-recursive=disabled,consistency=cached img",
  "--mount type=volume,source=v,target=/v,volume-nocopy,volume-label=a=b,volume-label=c,volume-driver=d,volume-opt=o=p img",
  '--mount type=volume,dst=/v,"volume-opt=o=addr=1,nfsvers=4",volume-subpath=s img',
  "--mount target=/t img",
  "--mount type=tmpfs,target=/t,tmpfs-size=1g,tmpfs-mode=1770 img",
  "--mount type=image,source=i,target=/i,image-subpath=s img",
  "-p 80 -p 8080:81 -p 127.0.0.1:8081:82/udp -p [::1]:9:9 -p 127.0.0.1::83 img",
  "-p 8000-8002:90-92 -p 7000-7010:93/TCP -p 94-96 img",
  "-p published=8080,target=80,protocol=udp -P img",
  "--expose 1 --expose 2/udp --expose 10-12/sctp -p 80:80 img",
  "--network host img",
  "--network none img",
  "--net bridge img",
  "--network container:x img",
  "--network mynet img",
  "--network mynet --network-alias a --net-alias b --ip 10.0.0.2 --ip6 fd00::2 --link-local-ip 169.254.1.1 img",
  "--network name=mynet,alias=a,alias=b,ip=10.0.0.2,driver-opt=k=v,mac-address=92:d0:c6:0a:29:33,gw-priority=5 img",
  "--network a --network name=b,link-local-ip=169.254.1.1 --network c img",
  "--network mynet --link db --link web:w img",
  "--link db:database img",
  "--mac-address 92:d0:c6:0a:29:33 img",
  "--dns 8.8.8.8 --dns ::0001 --dns-opt ndots:1 --dns-option timeout:2 --dns-search example.com --dns-search . img",
  "--add-host a:1.2.3.4 --add-host b=::1 --add-host c:[::2] --add-host d:host-gateway img",
  "--restart always img",
  "--restart on-failure:5 img",
  "--restart unless-stopped img",
  "--rm --init img",
  "--init=false --read-only --privileged img",
  "--cap-add NET_ADMIN --cap-add all --cap-drop MKNOD --group-add audio --group-add 44 img",
  `--security-opt seccomp=${seccomp} --security-opt no-new-privileges --security-opt label:disable img`,
  "--security-opt systempaths=unconfined --security-opt apparmor=unconfined img",
  "--ipc host --pid host --uts host --userns host --cgroupns private img",
  "--pid container:x --ipc shareable --isolation default --runtime runc --cgroup-parent /p img",
  "-m 512m --memory-swap -1 --memory-reservation 1.5g --memory-swappiness 10 --shm-size 64MiB img",
  "--memory=1024 --memory-swap 2KB --kernel-memory 4m img",
  "-c 512 --cpus 1.5 --cpu-period 1000 --cpu-quota 0x10 --cpuset-cpus 0-1 --cpuset-mems 0 img",
  "--cpu-rt-period 100 --cpu-rt-runtime 50 --cpus .25 img",
  "--blkio-weight 300 --blkio-weight-device /dev/sda:400 --device-read-bps /dev/sda:1mb --device-write-iops /dev/sda:5 img",
  "--device-write-bps /dev/sda:1024 --device-read-iops /dev/sdb:9 img",
  "--pids-limit 100 --oom-kill-disable --oom-score-adj -500 img",
  "--ulimit nofile=1024:2048 --ulimit nproc=10 --ulimit core=-1 --ulimit nofile=5 img",
  "--device /dev/null --device /dev/zero:/dev/z --device /dev/full:r --device /dev/fuse:/dev/f:rw img",
  "--device vendor.com/gpu=all --gpus all img",
  '--gpus 2 --gpus "device=0,driver=nvidia" --device-cgroup-rule "c 1:3 rwm" img',
  "--gpus driver=x,count=3,capabilities=utility,options=a=b img",
  "--sysctl net.ipv4.ip_forward=1 --sysctl kernel.msgmax=65536 --annotation a=b --annotation c img",
  "--stop-signal SIGUSR1 --stop-timeout 7 --storage-opt size=1G img",
  "--stop-timeout 0 img",
  "--log-driver json-file --log-opt max-size=10m --log-opt tag img",
  "--health-cmd true --health-interval 1m30s --health-timeout 500ms --health-retries 3 --health-start-period 1h --health-start-interval 2s img",
  "--health-interval 5s img",
  "--no-healthcheck img",
  "-itP -uroot -w=/x -m1g img",
];

/** Each must be refused with the same first line. */
const refused = [
  "--nope img",
  "-itZ img",
  "--=x img",
  "--name",
  "-e",
  "--tty=maybe img",
  "-m many img",
  "--cpu-shares 1.5 img",
  "--pids-limit 99999999999999999999 img",
  "--blkio-weight 70000 img",
  "--stop-timeout x img",
  "--cpus x img",
  "--cpus 0.1234567891234 img",
  "--health-interval 5 img",
  "--health-interval x img",
  "--health-interval 5y img",
  "--health-interval=-1s img",
  "--no-healthcheck --health-cmd x img",
  "-a foo img",
  "-e =x img",
  "-l =x img",
  "--mount x img",
  "--mount foo=bar img",
  "--mount type=bind img",
  "--mount type=,target=/x img",
  "--mount type=tmpfs,target=/x,volume-nocopy img",
  "--mount type=volume,target=/x,bind-propagation=shared img",
  "--mount type=bind,target=/x,bind-recursive=foo img",
  "--mount type=bind,target=/x,bind-recursive=writable img",
  "--mount type=bind,target=/x,ro,bind-recursive=readonly img",
  "--mount type=tmpfs,target=/x,tmpfs-mode=9 img",
  "--mount target=/x,ro=maybe img",
  '--mount a"b img',
  "-p 99999 img",
  "-p 1-2:1-4 img",
  "-p 80/foo img",
  "-p : img",
  "-p 1:2:3 img",
  "-p a:80 img",
  "-p published=1,x img",
  "--expose a img",
  "--expose 1:2 img",
  "--expose 5-1 img",
  "--network name=x,foo=bar img",
  "--network alias=x img",
  "--network name=a,gw-priority=x img",
  "--network a --network b --network a img",
  "--network bridge --network foo img",
  "--network host --network-alias x img",
  "--network name=a,alias=b --network-alias c img",
  "--network name=a,ip=10.0.0.1 --ip 10.0.0.2 img",
  "--ulimit x img",
  "--ulimit foo=1 img",
  "--ulimit nofile=2:1 img",
  "--ulimit nofile=-1:1 img",
  "--ulimit nofile=1:2:3 img",
  "--link a:b:c img",
  "--sysctl foo=bar img",
  "--sysctl net.x img",
  "--add-host x img",
  "--add-host x:1.2.3 img",
  "--dns x img",
  "--dns-search @@ img",
  "--device x img",
  "--device /dev/null:/x:q img",
  "--device a:b:c:d img",
  "--device-cgroup-rule x img",
  "--device-read-bps /dev/sda:x img",
  "--device-read-bps x:1 img",
  "--device-write-iops /dev/sda:1k img",
  "--blkio-weight-device /dev/sda:5 img",
  "--gpus x img",
  "--gpus driver=a,driver=b img",
  "--restart :3 img",
  "--restart on-failure:x img",
  "--restart always --rm img",
  "--pid x img",
  "--uts x img",
  "--userns x img",
  "--cgroupns x img",
  "--security-opt x img",
  "--security-opt seccomp=/nonexistent img",
  "--storage-opt x img",
  "--memory-swappiness 200 img",
  "--mac-address x img",
  "--log-driver none --log-opt a=b img",
  "--env-file /nonexistent img",
  `--env-file ${badFile} img`,
  "--label-file /nonexistent img",
  "--cpu-count 2 img",
  "--io-maxbandwidth 1m img",
];

interface Outcome {
  /** Only what differs from the body of `create img`; HostConfig likewise. */
  body?: Record<string, unknown>;
  error?: string;
}

const golden = JSON.parse(readFileSync(goldenPath, "utf8")) as Record<string, Outcome>;
const lines = [...accepted, ...refused];

beforeAll(() => {
  process.env["ORACLE_SET"] = "from the environment";
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  delete process.env["ORACLE_SET"];
});

test("the golden file knows every command line", () => {
  expect(Object.keys(golden)).toEqual(lines.map(portable));
});

test.each(accepted)("sends what docker sends: create %s", (line) => {
  expect(golden[portable(line)]?.error).toBeUndefined();
  expect(runOurs(line)).toEqual(golden[portable(line)] ?? {});
});

test.each(refused)("refuses as docker does: create %s", (line) => {
  expect(golden[portable(line)]?.body).toBeUndefined();
  expect(runOurs(line)).toEqual(golden[portable(line)] ?? {});
});

describe.skipIf(!isOracle)("the golden file against the docker CLI", () => {
  test("is what the docker CLI does", async () => {
    const outcomes = await askDocker();
    if (mode === "record") writeFileSync(goldenPath, `${JSON.stringify(outcomes, null, 1)}\n`);
    else expect(outcomes).toEqual(golden);
  }, 120_000);
});

/** Runs every line through the docker CLI against a server that records the requests. */
async function askDocker(): Promise<Record<string, Outcome>> {
  const bodies = new Map<string, unknown>();
  const socket = join(folder, "api.sock");
  const server = Bun.serve({
    unix: socket,
    async fetch(request) {
      const url = new URL(request.url);
      if (url.pathname.endsWith("/_ping")) {
        return new Response("OK", { headers: { "Api-Version": "1.51", Ostype: "linux" } });
      }
      bodies.set(url.searchParams.get("name") ?? "", await request.json());
      return Response.json({ Id: "0".repeat(64), Warnings: [] }, { status: 201 });
    },
  });
  const run = async (line: string, index: number): Promise<[string, Outcome]> => {
    const name = line === "--name" ? [] : ["--name", `n${index}`];
    const argv = ["docker", "-H", `unix://${socket}`, "create", ...name, ...words(line)];
    const env = { ...process.env, DOCKER_CONFIG: folder };
    const child = Bun.spawn(argv, { stdin: "ignore", stdout: "ignore", stderr: "pipe", env });
    const [text, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
    return [
      portable(line),
      code === 0 ? { body: difference(bodies.get(`n${index}`)) } : { error: portable(firstLine(text)) },
    ];
  };
  try {
    const outcomes: [string, Outcome][] = [];
    for (const [index, line] of lines.entries()) outcomes.push(await run(line, index));
    return Object.fromEntries(outcomes);
  } finally {
    await server.stop(true);
  }
}

function runOurs(line: string): Outcome {
  try {
    const { flags, args } = parseFlags(command.flags, words(line), { interspersed: false });
    const [image = "", ...rest] = args;
    // The command's own flag types are forgotten by its definition.
    const body = createBody(flags as unknown as Parameters<typeof createBody>[0], { image, args: rest, extraEnv: {} });
    return { body: difference(JSON.parse(JSON.stringify(body))) };
  } catch (error) {
    return { error: portable(firstLine(errorMessage(error))) };
  }
}

type Json = Record<string, unknown>;

/** What differs from a plain body. Order that Go's maps make random does not count, nor does what an API version drops. */
function difference(body: unknown): Json {
  const plain = createBody(...plainInput()) as unknown as Json;
  // Sorted once the paths of this run are out of it.
  const copy = JSON.parse(portable(JSON.stringify(body))) as Json & { Env?: string[]; HostConfig: Json };
  copy.Env?.sort();
  delete copy.HostConfig["KernelMemory"];
  for (const key of ["Binds", "Ulimits"]) {
    const list = copy.HostConfig[key];
    if (Array.isArray(list)) list.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }
  const host = changed(copy.HostConfig, plain["HostConfig"] as Json);
  const rest = changed({ ...copy, HostConfig: undefined }, { ...plain, HostConfig: undefined });
  return { ...rest, HostConfig: host };
}

function changed(from: Json, base: Json): Json {
  const names = new Set([...Object.keys(from), ...Object.keys(base)]);
  const different = [...names].filter((name) => JSON.stringify(from[name]) !== JSON.stringify(base[name])).sort();
  // A field that only the plain body has shows as null.
  return Object.fromEntries(different.map((name) => [name, from[name] ?? null]));
}

function plainInput(): Parameters<typeof createBody> {
  const { flags } = parseFlags(command.flags, [], { interspersed: false });
  return [flags as unknown as Parameters<typeof createBody>[0], { image: "img", args: [], extraEnv: {} }];
}

/** Paths of this run out of a text. */
function portable(text: string): string {
  return text
    .replaceAll(folder, "DIR")
    .replaceAll(process.cwd(), "CWD")
    .replaceAll(`${dirname(process.cwd())}/up`, "PARENT/up");
}

/** Shell words: quotes group where they open a word. */
function words(line: string): string[] {
  return (line.match(/(?:[^\s"]|"[^"]*$)*"[^"]*"\S*|\S+/g) ?? []).map((word) =>
    /^"[^"]*"$/.test(word) ? word.slice(1, -1) : word,
  );
}

function firstLine(text: string): string {
  return (text.split("\n")[0] ?? "").replace(/^docker: /, "");
}

function dockerVersion(): string {
  if (!Bun.which("docker")) return "";
  const result = Bun.spawnSync(["docker", "--version"]);
  return /version ([^,\s]+)/.exec(result.stdout.toString())?.[1] ?? "";
}
