/**
 * Gantry beside Docker, measured in one run, interleaved, through the stock CLI. Usage: make bench [ONLY=run,exec]
 * $DOCKERD_NEWEST names a directory with a newer dockerd; $DOCKER_CLI another docker CLI; $PODMAN another podman.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildkitBenchmarks } from "./buildkit.ts";
import { availableEngines, type Engine, gantryProgram, podman, startEngine } from "./lib/engine.ts";
import { type Benchmark, docker, report, run, timed, timedShell } from "./lib/measure.ts";
import { networkBenchmarks, networkFloor } from "./networks.ts";
import { registryBenchmarks, stopRegistries } from "./registries.ts";

const scratch = mkdtempSync(join(tmpdir(), "gantry-bench-files-"));
const image = "bench/busybox";
const bigImage = "bench/big";
const bigMegabytes = 200;

const count = async (limit: number, width: number, work: (index: number) => Promise<unknown>) => {
  let next = 0;
  const worker = async () => {
    while (next < limit) await work(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
};

const removeAll = async (engine: Engine) => {
  const ids = (await docker(engine, ["ps", "-aq"])).split("\n").filter(Boolean);
  if (ids.length > 0) await docker(engine, ["rm", "-f", ...ids]);
};

const commandOf =
  (...args: string[]) =>
  (engine: Engine) =>
    timed(() => docker(engine, args));

const megabytesPerSecond = (megabytes: number, milliseconds: number) => megabytes / (milliseconds / 1000);

async function api(engine: Engine, path: string, body?: object): Promise<Response> {
  const response = await fetch(`http://engine${path}`, {
    unix: engine.socket as string,
    method: "POST",
    ...(body ? { body: JSON.stringify(body), headers: { "content-type": "application/json" } } : {}),
  });
  if (!response.ok && response.status !== 304) throw new Error(`${engine.name} ${path}: ${await response.text()}`);
  return response;
}

const startByApi = async (engine: Engine, starts: number) => {
  const milliseconds = await timed(() =>
    count(starts, 8, async () => {
      const request = { Image: image, Cmd: ["sleep", "1000"] };
      const { Id } = (await (await api(engine, "/containers/create", request)).json()) as { Id: string };
      await api(engine, `/containers/${Id}/start`);
    }),
  );
  return starts / (milliseconds / 1000);
};

const startedByApi = async (engine: Engine) => {
  const rate = await startByApi(engine, 40);
  await removeAll(engine);
  return rate;
};

/** Milliseconds of processor time that one start costs the engine, its shims and runtime: without the client and the container. */
const processorOfStart = async (engine: Engine) => {
  const starts = 20;
  const before = engine.cpu();
  await startByApi(engine, starts);
  const after = engine.cpu();
  await removeAll(engine);
  return (after - before) / starts;
};

/** Gantry's own CLI on Gantry; the stock one on the others. */
const psByOwnCli = (engine: Engine) =>
  timed(() => docker(engine.name === "gantry" ? { ...engine, cli: [gantryProgram] } : engine, ["ps"]));

const startedByCli = async (engine: Engine) => {
  const starts = 24;
  const milliseconds = await timed(() => count(starts, 8, () => docker(engine, ["run", "-d", image, "sleep", "1000"])));
  await removeAll(engine);
  return starts / (milliseconds / 1000);
};

/** KiB of PSS of what supervises a container. The daemon's own memory goes up and down by more than containers take of it. */
const shimMemory = async (engine: Engine) => {
  const containers = 20;
  const idle = pssOf(shims(engine));
  await count(containers, 4, () => docker(engine, ["run", "-d", image, "sleep", "1000"]));
  await Bun.sleep(1000);
  const busy = pssOf(shims(engine));
  await removeAll(engine);
  return (busy - idle) / containers;
};

/** Shims are the processes whose command line or working directory names the engine's own directory. */
function shims(engine: Engine): number[] {
  const directory = (engine.socket as string).replace(/\/api\.sock$/, "");
  const known = new Set(engine.pids());
  const pids = readdirNumbers("/proc").filter((pid) => !known.has(pid));
  return pids.filter((pid) => {
    const command = read(`/proc/${pid}/cmdline`);
    const name = read(`/proc/${pid}/comm`).trim();
    const isShim = /shim/.test(name) || /containerd-shim|docker-proxy/.test(command);
    return isShim && (command.includes(directory) || read(`/proc/${pid}/mounts`).includes(directory));
  });
}

function readdirNumbers(path: string): number[] {
  return [...new Bun.Glob("[0-9]*").scanSync({ cwd: path, onlyFiles: false })].map(Number).filter(Number.isInteger);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // The process has ended.
  }
}

function pssOf(pids: number[]): number {
  const pss = (pid: number) => Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0);
  return pids.reduce((sum, pid) => sum + pss(pid), 0);
}

const startLong = (name: string) => async (engine: Engine) => {
  await docker(engine, ["run", "-d", "--name", name, image, "sleep", "100000"]);
};
const removeLong = (name: string) => async (engine: Engine) => {
  await docker(engine, ["rm", "-f", name]);
};

/** A context whose Dockerfile has these lines; with `files` small files in `src`. */
function buildContext(name: string, dockerfile: string[], files = 0): string {
  const directory = join(scratch, name);
  mkdirSync(join(directory, "src"), { recursive: true });
  writeFileSync(join(directory, "Dockerfile"), `FROM ${image}\n${dockerfile.join("\n")}\n`);
  for (let index = 0; index < files; index++)
    writeFileSync(join(directory, "src", `file${index}`), `content ${index}\n`);
  return directory;
}

/** By the classic builder of each: the API that every client speaks. */
const build = (context: string, ...flags: string[]) => {
  process.env["DOCKER_BUILDKIT"] = "0";
  return commandOf("build", "-q", ...flags, context);
};

const runSteps = Array.from({ length: 10 }, (_, index) => `RUN echo ${index} >/file${index}`);
const copySteps = Array.from({ length: 10 }, (_, index) => `COPY Dockerfile /file${index}`);
const runContext = buildContext("run10", runSteps);
const filesContext = buildContext("copy2000", ["COPY src /src"], 2000);
const metadataSteps = Array.from({ length: 40 }, (_, index) => `ENV NAME${index}=value`);

const benchmarks: Benchmark[] = [
  {
    name: "run --rm true, bridge",
    unit: "ms",
    rounds: 9,
    target: 5,
    podman: true,
    measure: commandOf("run", "--rm", image, "true"),
  },
  {
    name: "run --rm --network none true",
    unit: "ms",
    podman: true,
    rounds: 9,
    target: 5,
    measure: commandOf("run", "--rm", "--network", "none", image, "true"),
  },
  {
    name: "exec true",
    podman: true,
    unit: "ms",
    rounds: 9,
    target: 1.8,
    prepare: startLong("bench-exec"),
    measure: commandOf("exec", "bench-exec", "true"),
    cleanup: removeLong("bench-exec"),
  },
  { name: "ps", unit: "ms", rounds: 9, target: 1, podman: true, measure: commandOf("ps") },
  { name: "ps, gantry's own CLI", unit: "ms", rounds: 9, target: 1, measure: psByOwnCli },
  {
    name: "detached starts by CLI, 8 at a time",
    podman: true,
    unit: "/s",
    higher: true,
    rounds: 3,
    target: 5,
    measure: startedByCli,
  },
  {
    name: "detached starts by API, 8 at a time",
    unit: "/s",
    higher: true,
    rounds: 3,
    target: 5,
    measure: startedByApi,
  },
  {
    name: "processor time of a start by API",
    unit: "ms",
    rounds: 3,
    target: 3,
    measure: processorOfStart,
  },
  { name: "shim memory per container (PSS)", unit: "KiB", rounds: 1, target: 1, measure: shimMemory },
  {
    name: "attached output",
    podman: true,
    unit: "MB/s",
    higher: true,
    rounds: 3,
    target: 10,
    measure: async (engine) => {
      const size = engine.name === "gantry" ? 400 : 50;
      const shell = `exec $CLI run --rm ${image} dd if=/dev/zero bs=1M count=${size} >/dev/null 2>&1`;
      return megabytesPerSecond(size, await timedShell(engine, shell));
    },
  },
  {
    name: "attached stdin",
    podman: true,
    unit: "MB/s",
    higher: true,
    rounds: 3,
    target: 2,
    measure: async (engine) => {
      const size = 200;
      const shell = `head -c ${size}M /dev/zero | $CLI run -i --rm ${image} sh -c 'cat >/dev/null'`;
      return megabytesPerSecond(size, await timedShell(engine, shell));
    },
  },
  {
    name: `commit of ${bigMegabytes} MB`,
    unit: "ms",
    rounds: 3,
    target: 1.5,
    prepare: async (engine) => {
      const script = `dd if=/dev/urandom of=/big bs=1M count=${bigMegabytes} 2>/dev/null`;
      await docker(engine, ["run", "--name", "bench-commit", image, "sh", "-c", script]);
    },
    measure: async (engine) => {
      const milliseconds = await timed(() => docker(engine, ["commit", "bench-commit", "bench/committed"]));
      await docker(engine, ["rmi", "bench/committed"]);
      return milliseconds;
    },
    cleanup: removeLong("bench-commit"),
  },
  {
    name: `cp of ${bigMegabytes} MB into`,
    unit: "ms",
    rounds: 3,
    target: 1.5,
    prepare: async (engine) => {
      writeFileSync(join(scratch, "file"), Buffer.alloc(bigMegabytes << 20, "gantry"));
      await startLong("bench-cp")(engine);
    },
    measure: commandOf("cp", join(scratch, "file"), "bench-cp:/file"),
  },
  {
    name: `cp of ${bigMegabytes} MB out of`,
    unit: "ms",
    rounds: 3,
    target: 1.5,
    measure: commandOf("cp", "bench-cp:/file", join(scratch, "out")),
    cleanup: removeLong("bench-cp"),
  },
  {
    name: "build of 10 RUN steps, no cache",
    unit: "ms",
    rounds: 3,
    target: 6,
    measure: build(runContext, "--no-cache"),
  },
  {
    name: "build of 10 RUN steps, all cached",
    unit: "ms",
    rounds: 5,
    target: 1,
    prepare: async (engine) => void (await build(buildContext("cached", runSteps))(engine)),
    measure: build(buildContext("cached", runSteps)),
  },
  {
    name: "build of 10 COPY steps, no cache",
    unit: "ms",
    rounds: 3,
    target: 1,
    measure: build(buildContext("copy10", copySteps), "--no-cache"),
  },
  {
    name: "build with COPY of 2,000 files, no cache",
    unit: "ms",
    rounds: 3,
    target: 3,
    measure: build(filesContext, "--no-cache"),
  },
  {
    name: "build of 40 metadata steps, no cache",
    unit: "ms",
    rounds: 3,
    target: 6,
    measure: build(buildContext("metadata", metadataSteps), "--no-cache"),
  },
  ...buildkitBenchmarks({ scratch, run: runContext, files: filesContext }),
  {
    name: "save of a Debian",
    unit: "ms",
    rounds: 3,
    target: 1.5,
    measure: (engine) => timed(() => docker(engine, ["save", "-o", join(scratch, "save.tar"), bigImage])),
  },
  {
    name: "load of a Debian",
    unit: "ms",
    rounds: 3,
    target: 3,
    measure: async (engine) => {
      await docker(engine, ["rmi", "-f", bigImage]);
      return timed(() => docker(engine, ["load", "-q", "-i", join(scratch, "debian.tar.gz")]));
    },
  },
];

const debian = process.env["BENCH_DEBIAN"] ?? join(tmpdir(), "gantry-bench-debian.tar");

/** A busybox image and a Debian of about 200 MB, the latter also as a gzipped archive, in each engine. */
async function prepareImages(engines: Engine[]): Promise<void> {
  const rootfs = join(scratch, "rootfs");
  await sh(
    `mkdir -p ${rootfs}/bin ${rootfs}/etc ${rootfs}/tmp && cp /bin/busybox ${rootfs}/bin/ && chroot ${rootfs} /bin/busybox --install -s /bin`,
  );
  await sh(`tar -C ${rootfs} -cf ${scratch}/busybox.tar .`);
  if (!(await Bun.file(debian).exists()))
    await sh(`. /etc/os-release; mmdebstrap --quiet --variant=important $VERSION_CODENAME ${debian}`);
  for (const engine of engines) {
    await docker(engine, ["import", `${scratch}/busybox.tar`, image]);
    await docker(engine, ["import", "-c", "CMD bash", debian, bigImage]);
  }
  const first = engines[0] as Engine;
  await docker(first, ["save", "-o", join(scratch, "debian.tar"), bigImage]);
  await sh(`gzip -1 -c ${scratch}/debian.tar > ${scratch}/debian.tar.gz`);
}

async function sh(script: string): Promise<void> {
  const code = await Bun.spawn(["sh", "-c", script], { stderr: "inherit" }).exited;
  if (code !== 0) throw new Error(`${script}: exit status ${code}`);
}

async function main(): Promise<void> {
  const only = process.env["ONLY"]?.split(",");
  const engines: Engine[] = [];
  const removeEngines = async () => {
    for (const engine of engines) await removeAll(engine).catch(() => undefined);
    await stopRegistries();
    for (const engine of engines) await engine.stop();
    rmSync(scratch, { recursive: true, force: true });
  };
  // Once: a signal makes the benchmark at work fail, which ends it as well.
  let ending: Promise<void> | undefined;
  const end = () => {
    ending ??= removeEngines();
    return ending;
  };
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => end().finally(() => process.exit(1)));
  try {
    for (const plan of availableEngines()) engines.push(await startEngine(plan));
    const daemons = [...engines];
    console.log(
      `engines: ${engines.map(({ name }) => name).join(", ")}; medians; ratio to the better peer, higher is better\n`,
    );
    await Bun.sleep(500);
    for (const engine of engines)
      console.log(`idle memory of ${engine.name}: ${(pssOf(engine.pids()) / 1024).toFixed(0)} MiB PSS`);
    await prepareImages(engines);
    const other = await podman((engine) => docker(engine, ["import", `${scratch}/busybox.tar`, image]), image);
    if (other) engines.push(other);
    const isWanted = ({ name }: { name: string }) => !only || only.some((word) => name.includes(word));
    const all = [...benchmarks, ...networkBenchmarks(image), ...registryBenchmarks({ scratch, debian })];
    const wanted = all.filter(isWanted);
    if (isWanted({ name: "network: floor" })) console.log(await networkFloor());
    for (const benchmark of wanted) {
      console.log(report(benchmark, await run(benchmark, benchmark.podman ? engines : daemons)));
    }
  } finally {
    await end();
  }
}

await main();
