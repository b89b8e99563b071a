/** Timing whole commands, engines in turn, so that a drift of the machine's speed meets all of them alike. */
import type { Engine } from "./engine.ts";

/** Runs the engine's CLI, the stock one of Docker but for podman; throws with its stderr when it fails. */
export async function docker(engine: Engine, args: string[], stdin?: Blob): Promise<string> {
  const child = Bun.spawn([...engine.cli, ...args], {
    env: environment(engine),
    stdin: stdin ?? "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, complaint, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`${engine.name}: docker ${args.join(" ")}: ${complaint}`);
  return output.trim();
}

/** Milliseconds of a shell command in which `$CLI` stands for the engine's CLI. */
export function timedShell(engine: Engine, script: string): Promise<number> {
  const env = { ...environment(engine), CLI: engine.cli.join(" ") };
  return timed(() => Bun.spawn(["sh", "-c", script], { env }).exited);
}

export function environment(engine: Engine): Record<string, string> {
  return { ...process.env, ...engine.env } as Record<string, string>;
}

/** Milliseconds of one run. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

export interface Benchmark {
  name: string;
  unit: string;
  /** Higher figures are better. */
  higher?: boolean;
  rounds: number;
  /** The ratio to the best peer that Gantry is to reach; printed beside what it reaches. */
  target: number;
  /** Podman takes part. It stands beside; the ratio is to Docker's. */
  podman?: boolean;
  prepare?(engine: Engine): Promise<void>;
  /** One figure. */
  measure(engine: Engine): Promise<number>;
  cleanup?(engine: Engine): Promise<void>;
}

export type Figures = Map<string, number[]>;

/** All rounds of one benchmark, after one of warm-up: engine after engine in each, and each of them first in its turn. */
export async function run(benchmark: Benchmark, engines: Engine[]): Promise<Figures> {
  const figures: Figures = new Map(engines.map(({ name }) => [name, []]));
  for (const engine of engines) await benchmark.prepare?.(engine);
  for (let round = -1; round < benchmark.rounds; round++) {
    const first = (round + 1) % engines.length;
    for (const engine of [...engines.slice(first), ...engines.slice(0, first)]) {
      const figure = await benchmark.measure(engine);
      if (round >= 0) figures.get(engine.name)?.push(figure);
    }
  }
  for (const engine of engines) await benchmark.cleanup?.(engine);
  return figures;
}

/** One line: medians, the ratio to the better peer, and the target. */
export function report(benchmark: Benchmark, figures: Figures): string {
  const medians = [...figures].map(([name, values]) => ({ name, value: median(values) }));
  const own = medians.find(({ name }) => name === "gantry")?.value ?? Number.NaN;
  const peers = medians.filter(({ name }) => name.startsWith("docker")).map(({ value }) => value);
  const columns = medians.map(({ name, value }) => `${name} ${format(value)}`).join("   ");
  const best = benchmark.higher ? Math.max(...peers) : Math.min(...peers);
  const ratio = peers.length === 0 ? Number.NaN : benchmark.higher ? own / best : best / own;
  const verdict = Number.isNaN(ratio)
    ? ""
    : `× ${ratio.toFixed(2)} (target ${benchmark.target})${ratio < benchmark.target ? "  SHORT" : ""}`;
  return `${benchmark.name.padEnd(34)} ${benchmark.unit.padEnd(8)} ${columns}   ${verdict}`;
}

function format(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}
