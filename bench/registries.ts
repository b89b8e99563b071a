/** Pull and push of a Debian in six layers, through Debian's docker-registry and Gantry's own, and the API's latency meanwhile. */
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Engine, gantryProgram } from "./lib/engine.ts";
import { type Benchmark, docker, timed } from "./lib/measure.ts";

type Kind = "docker-registry" | "gantry registry";

const ports: Record<Kind, number> = { "docker-registry": 5000, "gantry registry": 5001 };
const image = (kind: Kind) => `localhost:${ports[kind]}/bench/layers`;
const running = new Map<string, ReturnType<typeof Bun.spawn>>();

/** Made once of the archive of a Debian root, then copied: every engine finds the same bytes. */
export interface Sources {
  scratch: string;
  debian: string;
}

const parts = [
  "--exclude=./usr --exclude=./dev .",
  "./usr/share/doc ./usr/share/locale ./usr/share/man",
  "--exclude=./usr/share/doc --exclude=./usr/share/locale --exclude=./usr/share/man ./usr/share",
  "./usr/bin ./usr/sbin",
  "$(find ./usr/lib -mindepth 1 -maxdepth 1 -name '*-linux-gnu*')",
  "$(find ./usr/lib -mindepth 1 -maxdepth 1 ! -name '*-linux-gnu*')",
];

async function sh(script: string): Promise<void> {
  const child = Bun.spawn(["sh", "-ec", script], { stderr: "pipe" });
  if ((await child.exited) !== 0) throw new Error(`${script}: ${await child.stderr.text()}`);
}

function contentOf({ scratch }: Sources, kind: Kind, engine: Engine): string {
  return join(scratch, `registry-${kind}-${engine.name}`.replaceAll(" ", "-"));
}

/** In the engine's network namespace. */
async function start(sources: Sources, kind: Kind, engine: Engine): Promise<void> {
  const root = contentOf(sources, kind, engine);
  mkdirSync(root, { recursive: true });
  const listen = `127.0.0.1:${ports[kind]}`;
  const config =
    kind === "docker-registry"
      ? {
          version: "0.1",
          log: { level: "error" },
          storage: { filesystem: { rootdirectory: root } },
          http: { addr: listen },
        }
      : { root, listen };
  writeFileSync(`${root}.yml`, JSON.stringify(config));
  const argv =
    kind === "docker-registry"
      ? ["docker-registry", "serve", `${root}.yml`]
      : [gantryProgram, "registry", "serve", "--config", `${root}.yml`];
  const inside = ["nsenter", `--net=/proc/${engine.pids()[0]}/ns/net`];
  running.set(root, Bun.spawn([...inside, ...argv], { stdout: "ignore", stderr: "ignore" }));
  await sh(
    `for try in $(seq 100); do ${inside.join(" ")} curl -sf http://${listen}/v2/ && exit; sleep 0.1; done; exit 1`,
  );
}

const stop = (sources: Sources, kind: Kind, engine: Engine) => stopAt(contentOf(sources, kind, engine));

async function stopAt(root: string): Promise<void> {
  const child = running.get(root);
  child?.kill();
  await child?.exited;
  running.delete(root);
}

/** Of all engines: what an interrupted benchmark has not cleaned up. */
export async function stopRegistries(): Promise<void> {
  for (const root of [...running.keys()]) await stopAt(root);
}

/** The first engine builds and pushes; the others' registries get a copy of what its registry then has. */
function prepare(sources: Sources, kind: Kind) {
  const seed = join(sources.scratch, `seed-${ports[kind]}`);
  return async (engine: Engine) => {
    if (existsSync(seed)) {
      cpSync(seed, contentOf(sources, kind, engine), { recursive: true });
      return start(sources, kind, engine);
    }
    const { scratch, debian } = sources;
    const context = join(scratch, "layers");
    await sh(`rm -rf ${context} && mkdir -p ${context}/root && tar -C ${context}/root --exclude=./dev -xf ${debian}`);
    for (const [index, part] of parts.entries()) {
      await sh(`cd ${context}/root && tar -cf ${context}/part${index}.tar ${part}`);
    }
    await sh(`rm -r ${context}/root`);
    const lines = parts.map((_, index) => `ADD part${index}.tar /`);
    writeFileSync(join(context, "Dockerfile"), `FROM scratch\n${lines.join("\n")}\nCMD ["bash"]\n`);
    process.env["DOCKER_BUILDKIT"] = "0";
    await start(sources, kind, engine);
    await docker(engine, ["build", "-q", "-t", image(kind), context]);
    await docker(engine, ["push", "-q", image(kind)]);
    // A database that is in use is not copied.
    await stop(sources, kind, engine);
    cpSync(contentOf(sources, kind, engine), seed, { recursive: true });
    await start(sources, kind, engine);
  };
}

const forget = (kind: Kind, engine: Engine) => docker(engine, ["rmi", "-f", image(kind)]).catch(() => "");

async function pulled(kind: Kind, engine: Engine): Promise<number> {
  await forget(kind, engine);
  return timed(() => docker(engine, ["pull", "-q", image(kind)]));
}

/** Milliseconds: the 99th percentile of the API's answers while pulls run. */
async function pingsDuringPulls(kind: Kind, engine: Engine): Promise<number> {
  const times: number[] = [];
  while (times.length < 500) {
    await forget(kind, engine);
    let done = false;
    const pulling = docker(engine, ["pull", "-q", image(kind)]).finally(() => {
      done = true;
    });
    while (!done) {
      times.push(
        await timed(() => fetch("http://engine/_ping", { unix: engine.socket as string }).then((r) => r.text())),
      );
      await Bun.sleep(2);
    }
    await pulling;
  }
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? Number.NaN;
}

export function registryBenchmarks(sources: Sources): Benchmark[] {
  const benchmarks = (kind: Kind): Benchmark[] => [
    {
      name: `pull of a Debian in 6 layers, ${kind}`,
      unit: "ms",
      rounds: 3,
      target: 3,
      prepare: prepare(sources, kind),
      measure: (engine) => pulled(kind, engine),
    },
    {
      name: `ping p99 while that pull runs, ${kind}`,
      unit: "ms",
      rounds: 1,
      target: 1,
      measure: (engine) => pingsDuringPulls(kind, engine),
    },
    {
      name: `push of it, ${kind} without its layers`,
      unit: "ms",
      rounds: 3,
      target: 2,
      measure: async (engine) => {
        await stop(sources, kind, engine);
        rmSync(contentOf(sources, kind, engine), { recursive: true });
        await start(sources, kind, engine);
        return timed(() => docker(engine, ["push", "-q", image(kind)]));
      },
      cleanup: async (engine) => {
        await stop(sources, kind, engine);
        await forget(kind, engine);
      },
    },
  ];
  return [...benchmarks("docker-registry"), ...benchmarks("gantry registry")];
}
