/** Builds over BuildKit's API, by the buildx plugin that `$BUILDX_PLUGIN` names (contrib/newer-clients.sh); none without it. */
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { Engine } from "./lib/engine.ts";
import { type Benchmark, docker, timed } from "./lib/measure.ts";

export interface BuildContexts {
  scratch: string;
  /** Of ten RUN steps. */
  run: string;
  /** Of a COPY of two thousand files. */
  files: string;
}

export function buildkitBenchmarks({ scratch, run, files }: BuildContexts): Benchmark[] {
  const plugin = process.env["BUILDX_PLUGIN"];
  if (!plugin) return [];
  const config = join(scratch, "buildx");
  mkdirSync(join(config, "cli-plugins"), { recursive: true });
  symlinkSync(plugin, join(config, "cli-plugins/docker-buildx"));
  const build =
    (context: string, ...flags: string[]) =>
    (engine: Engine) => {
      const client = { ...engine, env: { ...engine.env, DOCKER_CONFIG: config } };
      return timed(() => docker(client, ["buildx", "build", "-q", ...flags, context]));
    };
  return [
    { name: "BuildKit: 10 RUN steps, no cache", unit: "ms", rounds: 3, target: 2, measure: build(run, "--no-cache") },
    {
      ...{ name: "BuildKit: 10 RUN steps, all cached", unit: "ms", rounds: 5, target: 1 },
      prepare: async (engine) => void (await build(run)(engine)),
      measure: build(run),
    },
    {
      name: "BuildKit: COPY of 2,000 files, no cache",
      unit: "ms",
      rounds: 3,
      target: 1,
      measure: build(files, "--no-cache"),
    },
  ];
}
