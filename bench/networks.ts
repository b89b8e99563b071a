/** The network: throughput and latency between containers and by a published port, many ports, names, and its share of a start. */
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Engine } from "./lib/engine.ts";
import { type Benchmark, docker, median, timed } from "./lib/measure.ts";

const traffic = new URL("lib/traffic.ts", import.meta.url).pathname;
const [sinkPort, echoPort] = [5001, 5002];
/** A client on a network of its own, with the engine's host as its neighbour. */
const lan = (engine: Engine) => ({ netns: `bench-${engine.pids()[0]}`, link: `bn${engine.pids()[0]}` });
const [hostAddress, clientAddress] = ["10.98.0.1", "10.98.0.2"];

async function sh(script: string): Promise<void> {
  const child = Bun.spawn(["sh", "-ec", script], { stderr: "pipe" });
  if ((await child.exited) !== 0) throw new Error(`${script}: ${await child.stderr.text()}`);
}

function inside(netns: string, ...args: (string | number)[]): string[] {
  return ["nsenter", `--net=${netns}`, process.execPath, traffic, ...args.map(String)];
}

async function result(argv: string[]): Promise<Record<string, number>> {
  return JSON.parse(await new Response(Bun.spawn(argv, { stdout: "pipe", stderr: "inherit" }).stdout).text());
}

const netnsOf = async (engine: Engine, name: string) =>
  `/proc/${await docker(engine, ["inspect", "-f", "{{.State.Pid}}", name])}/ns/net`;
const addressOf = (engine: Engine, name: string) =>
  docker(engine, ["inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name]);

const servers = new Map<string, ReturnType<typeof Bun.spawn>[]>();

async function serve(engine: Engine, netns: string): Promise<void> {
  const spawn = (role: string, port: number) => Bun.spawn(inside(netns, role, port), { stderr: "inherit" });
  servers.set(engine.name, [spawn("sink", sinkPort), spawn("echo", echoPort)]);
  await Bun.sleep(500);
}

async function stopServers(engine: Engine): Promise<void> {
  for (const child of servers.get(engine.name) ?? []) {
    child.kill();
    await child.exited;
  }
}

/** Two containers on a network of their own; the one serves, and has its ports published. */
const prepare = (image: string) => async (engine: Engine) => {
  const { netns, link } = lan(engine);
  await sh(`
    ip netns add ${netns}
    ip link add ${link} type veth peer name eth0 netns ${netns}
    ip link set ${link} netns ${engine.pids()[0]}
    nsenter --net=/proc/${engine.pids()[0]}/ns/net sh -ec 'ip addr add ${hostAddress}/24 dev ${link}; ip link set ${link} up'
    ip -n ${netns} addr add ${clientAddress}/24 dev eth0
    ip -n ${netns} link set eth0 up`);
  await docker(engine, ["network", "create", "bench"]);
  const ports = ["-p", `${sinkPort}:${sinkPort}`, "-p", `${echoPort}:${echoPort}`];
  await docker(engine, ["run", "-d", "--name", "server", "--network", "bench", ...ports, image, "sleep", "10000"]);
  await docker(engine, ["run", "-d", "--name", "client", "--network", "bench", image, "sleep", "10000"]);
  await serve(engine, await netnsOf(engine, "server"));
};

const cleanup = async (engine: Engine) => {
  await stopServers(engine);
  await docker(engine, ["rm", "-f", "server", "client"]);
  await docker(engine, ["network", "rm", "bench"]);
  await sh(`ip netns del ${lan(engine).netns}`);
};

const between = (role: string, port: number, amount: number, field: string) => async (engine: Engine) => {
  const client = await netnsOf(engine, "client");
  return (await result(inside(client, role, await addressOf(engine, "server"), port, amount)))[field] as number;
};

const published = (role: string, port: number, amount: number, field: string) => async (engine: Engine) => {
  const argv = inside(`/run/netns/${lan(engine).netns}`, role, hostAddress, port, amount);
  return (await result(argv))[field] as number;
};

async function namesPerSecond(engine: Engine): Promise<number> {
  const client = await netnsOf(engine, "client");
  return (await result(inside(client, "dns", "server", 2)))["perSecond"] as number;
}

/** Milliseconds, by dnsperf: what it takes itself is little beside, unlike a load from JavaScript. No number where it is missing. */
async function slowestNames(engine: Engine): Promise<number> {
  if (!Bun.which("dnsperf")) return Number.NaN;
  const queries = join(tmpdir(), `gantry-bench-names-${process.pid}`);
  await Bun.write(queries, "server A\n");
  const load = ["dnsperf", "-v", "-s", "127.0.0.11", "-d", queries, "-Q", "10000", "-l", "5", "-c", "1"];
  const netns = await netnsOf(engine, "client");
  const output = await new Response(Bun.spawn(["nsenter", `--net=${netns}`, ...load]).stdout).text();
  rmSync(queries);
  const times = [...output.matchAll(/^> NOERROR server A (\S+)$/gm)].map((line) => Number(line[1]) * 1000);
  if (times.length < 40_000) throw new Error(`only ${times.length} of 50,000 queries were answered`);
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] as number;
}

async function api(engine: Engine, method: string, path: string, body?: object): Promise<Record<string, string>> {
  const headers = { "content-type": "application/json" };
  const init = { unix: engine.socket, method, ...(body ? { body: JSON.stringify(body), headers } : {}) };
  const response = await fetch(`http://engine${path}`, init);
  const text = await response.text();
  if (!response.ok) throw new Error(`${engine.name} ${method} ${path}: ${text}`);
  return text === "" ? {} : JSON.parse(text);
}

/** Milliseconds of the start alone. */
async function startOf(engine: Engine, image: string, host: object, exposed: object = {}): Promise<number> {
  const request = {
    Image: image,
    Cmd: ["sleep", "1000"],
    StopSignal: "SIGKILL",
    HostConfig: host,
    ExposedPorts: exposed,
  };
  const { Id } = await api(engine, "POST", "/containers/create", request);
  const milliseconds = await timed(() => api(engine, "POST", `/containers/${Id}/start`));
  await api(engine, "DELETE", `/containers/${Id}?force=1`);
  return milliseconds;
}

const startWithPorts = (image: string, count: number) => (engine: Engine) => {
  const ports = Array.from({ length: count }, (_, index) => [
    `${1000 + index}/tcp`,
    [{ HostPort: `${20000 + index}` }],
  ]);
  const exposed = Object.fromEntries(ports.map(([port]) => [port, {}]));
  return startOf(engine, image, { PortBindings: Object.fromEntries(ports) }, exposed);
};

/** What a start on the default bridge takes longer than one without a network; a tenth of a millisecond stands for nothing at all. */
const shareOfStart = (image: string) => async (engine: Engine) => {
  const times = { bridge: [] as number[], none: [] as number[] };
  for (let round = 0; round < 15; round++) {
    for (const mode of ["bridge", "none"] as const) {
      times[mode].push(await startOf(engine, image, { NetworkMode: mode }));
      await Bun.sleep(100);
    }
  }
  return Math.max(0.1, median(times.bridge) - median(times.none));
};

/**
 * Networks with containers on each, which find each other by name; milliseconds until all run. Docker's default pools end at 31 networks.
 */
const crowd = (image: string, networks: number, each: number) => async (engine: Engine) => {
  if (engine.name !== "gantry") return Number.NaN;
  const names = Array.from({ length: networks }, (_, index) => `crowd${index}`);
  const members = names.flatMap((network) =>
    Array.from({ length: each }, (_, index) => ({ network, name: `${network}-${index}` })),
  );
  try {
    const milliseconds = await timed(async () => {
      await several(names, (Name) => api(engine, "POST", "/networks/create", { Name }));
      await several(members, async ({ network, name }) => {
        const request = {
          Image: image,
          Cmd: ["sleep", "1000"],
          StopSignal: "SIGKILL",
          HostConfig: { NetworkMode: network },
        };
        await api(engine, "POST", `/containers/create?name=${name}`, request);
        await api(engine, "POST", `/containers/${name}/start`);
      });
    });
    await several(names, (name) =>
      docker(engine, ["exec", `${name}-0`, "ping", "-c", "1", "-W", "5", `${name}-${each - 1}`]),
    );
    return milliseconds;
  } finally {
    await several(members, ({ name }) => api(engine, "DELETE", `/containers/${name}?force=1`).catch(() => ({})));
    await several(names, (name) => api(engine, "DELETE", `/networks/${name}`).catch(() => ({})));
  }
};

/** Eight at a time. */
async function several<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

/** What two processes in plain namespaces on a plain bridge reach: no engine can be faster. */
export async function networkFloor(): Promise<string> {
  const [a, b, bridge] = ["bench-floor-a", "bench-floor-b", "bnfloor"];
  const port = (name: string, address: string) =>
    `ip netns add ${name}; ip link add ${name.slice(-7)} type veth peer name eth0 netns ${name}; ip link set ${name.slice(-7)} master ${bridge} up
     ip -n ${name} addr add ${address}/24 dev eth0; ip -n ${name} link set eth0 up`;
  await sh(
    `ip link add ${bridge} type bridge; ip link set ${bridge} up; ${port(a, "10.97.0.1")}; ${port(b, "10.97.0.2")}`,
  );
  const roles = [
    Bun.spawn(inside(`/run/netns/${a}`, "sink", sinkPort)),
    Bun.spawn(inside(`/run/netns/${a}`, "echo", echoPort)),
  ];
  try {
    await Bun.sleep(500);
    const client = `/run/netns/${b}`;
    const { megabytesPerSecond = 0 } = await result(inside(client, "send", "10.97.0.1", sinkPort, 2000));
    const { medianMicros = 0 } = await result(inside(client, "pingpong", "10.97.0.1", echoPort, 5000));
    return `floor of a plain bridge: ${megabytesPerSecond.toFixed(0)} MB/s, round trip ${medianMicros.toFixed(0)} µs`;
  } finally {
    for (const role of roles) {
      role.kill();
      await role.exited;
    }
    await sh(`ip netns del ${a}; ip netns del ${b}; ip link del ${bridge}`);
  }
}

export function networkBenchmarks(image: string): Benchmark[] {
  const common = { rounds: 3, target: 1 };
  // Where two threads run on which processor decides a tenth of these; medians of few rounds would compare that.
  const traffic = { rounds: 15, target: 1 };
  return [
    {
      ...{ name: "network: container to container", unit: "MB/s", higher: true, ...traffic },
      prepare: prepare(image),
      measure: between("send", sinkPort, 2000, "megabytesPerSecond"),
    },
    {
      ...{ name: "network: its round trip", unit: "µs", ...traffic },
      measure: between("pingpong", echoPort, 5000, "medianMicros"),
    },
    {
      ...{ name: "network: published port", unit: "MB/s", higher: true, ...traffic },
      measure: published("send", sinkPort, 2000, "megabytesPerSecond"),
    },
    {
      ...{ name: "network: its round trip", unit: "µs", ...traffic },
      measure: published("pingpong", echoPort, 5000, "medianMicros"),
    },
    { ...{ name: "network: names, 64 at once", unit: "/s", higher: true, ...common }, measure: namesPerSecond },
    {
      ...{ name: "network: names, p99 at 10,000/s", unit: "ms", ...common },
      measure: slowestNames,
      cleanup,
    },
    { name: "network: start with 50 ports", unit: "ms", rounds: 3, target: 5, measure: startWithPorts(image, 50) },
    {
      ...{ name: "network: start with 1,000 ports", unit: "ms", rounds: 3, target: 1 },
      // Docker takes minutes, and a proxy process for each.
      measure: (engine) =>
        engine.name === "gantry" ? startWithPorts(image, 1000)(engine) : Promise.resolve(Number.NaN),
    },
    {
      ...{ name: "network: 100 networks with 5 containers each", unit: "ms", rounds: 1, target: 1 },
      measure: crowd(image, 100, 5),
    },
    { name: "network: its share of a start", unit: "ms", rounds: 1, target: 1, measure: shareOfStart(image) },
  ];
}
