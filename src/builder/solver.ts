/**
 * From a parsed Dockerfile to the state that its target stage ends in: stages that do not need each other are built at once, those that
 * the target does not need never; every step is looked up in the cache first.
 */
import { EngineError, errorKind, internal, withPrefix } from "../base/errors.ts";
import type { Dockerfile, Instruction, Stage } from "../dockerfile/instructions.ts";
import { automaticArgs } from "../dockerfile/known-args.ts";
import { expandWord } from "../dockerfile/words/shell-words.ts";
import { type Platform, parsePlatform } from "../oci/platform.ts";
import { BuildArgs } from "./build-args.ts";
import type { BuildReport } from "./report.ts";
import { type BuildScope, StageBuild, type StageState } from "./stage-build.ts";
import { baseStage, checkStageNames, neededStages, stageIndex, targetStage } from "./stages.ts";

export interface Solve
  extends Omit<BuildScope, "signal" | "escape" | "index" | "stage" | "ignoresCache" | "platform" | "renewed"> {
  dockerfile: Dockerfile;
  platform: Platform;
  report: BuildReport;
}

export interface Solved {
  state: StageState;
  /** Names of build arguments that no stage asked for. */
  unusedArgs: string[];
}

/** Rejects with what failed first; the other stages are told to stop, and have stopped. */
export async function solve(build: Solve): Promise<Solved> {
  const { dockerfile, report, request } = build;
  const { target, args, expand, base, needed } = planStages(build);
  const labels = labelInstructions(request.labels);
  const added = (index: number) => (index === target ? labels : []);
  report.begin({
    metaArgs: dockerfile.metaArgs,
    total: dockerfile.stages.length,
    stages: needed.map((index) => ({ index, stage: stageOf(dockerfile, index), added: added(index).length })),
  });
  const failed = new AbortController();
  const renewed = new Set<string>();
  const running = new Map<number, Promise<StageState>>();
  const scope = (index: number): BuildScope => ({
    ...build,
    signal: AbortSignal.any([request.signal, failed.signal]),
    escape: dockerfile.directives.escape,
    renewed,
    index,
    ignoresCache: ignoresCache(request.noCache, dockerfile.stages, index),
    stage: (name) => {
      const found = stageIndex(dockerfile.stages.slice(0, index), name);
      return found === undefined ? undefined : start(found);
    },
  });
  const start = (index: number): Promise<StageState> => {
    const known = running.get(index);
    if (known) return known;
    const stage = withPlatform(stageOf(dockerfile, index), expand);
    const stageReport = report.stage(needed.indexOf(index));
    const building = new StageBuild(scope(index), stage, args.stage(), stageReport)
      .build(base(stage), added(index))
      .catch((error: unknown) => {
        failed.abort();
        throw error;
      });
    running.set(index, building);
    return building;
  };
  const results = await Promise.allSettled(needed.map(start));
  // What failed first made the others stop: theirs are only "cancelled".
  const errors = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
  if (errors.length > 0) throw errors.find((error) => errorKind(error) !== "canceled") ?? errors[0];
  return { state: await (running.get(target) as Promise<StageState>), unusedArgs: args.unused() };
}

/** Names of the images that the stages which are needed begin with, and not with an earlier stage. */
export function baseImages(
  build: Pick<Solve, "dockerfile" | "request" | "platform">,
): { name: string; stage: Stage }[] {
  const { base, needed, expand } = planStages(build);
  const { stages } = build.dockerfile;
  return needed.flatMap((index) => {
    const stage = withPlatform(stageOf(build.dockerfile, index), expand);
    const name = base(stage);
    const isImage = name !== "" && name !== "scratch" && baseStage(stages.slice(0, index), name) === undefined;
    return isImage ? [{ name, stage }] : [];
  });
}

/** What is to be built: the target's place, the stages that it needs, and what FROM lines mean. */
export function planStages(build: Pick<Solve, "dockerfile" | "request" | "platform">) {
  const { dockerfile, request } = build;
  checkStageNames(dockerfile.stages);
  const target = targetStage(dockerfile, request.target);
  const { args, expand } = globalScope(build);
  const base = (stage: Stage) => expand(stage.base);
  return { target, args, expand, base, needed: neededStages(dockerfile.stages, target, base) };
}

/** ARG before the first FROM, and what FROM lines are expanded with. */
function globalScope({ dockerfile, request, platform }: Pick<Solve, "dockerfile" | "request" | "platform">): {
  args: BuildArgs;
  expand: (word: string) => string;
} {
  const args = BuildArgs.global(request.args, automaticArgs(platform, request.target || undefined));
  const expand = (word: string) => expandWord(word, (name) => args.get(name), dockerfile.directives.escape);
  for (const { args: declared } of dockerfile.metaArgs) {
    for (const { name, value } of declared) args.declare(name, value === undefined ? undefined : expand(value));
  }
  return { args, expand };
}

/** `--platform` of FROM may hold variables. */
function withPlatform(stage: Stage, expand: (word: string) => string): Stage {
  if (stage.platform === undefined) return stage;
  const platform = expand(stage.platform);
  try {
    if (platform !== "") parsePlatform(platform);
  } catch (error) {
    throw error instanceof EngineError ? withPrefix(`failed to parse platform ${platform}: `, error) : error;
  }
  return { ...stage, platform };
}

function stageOf({ stages }: Dockerfile, index: number): Stage {
  const stage = stages[index];
  if (!stage) throw internal(`there is no stage ${index}`);
  return stage;
}

function ignoresCache(noCache: boolean | readonly string[], stages: readonly Stage[], index: number): boolean {
  if (typeof noCache === "boolean") return noCache;
  return noCache.some((name) => stageIndex(stages, name) === index);
}

/** `--label`: as if the target's stage ended with them. */
function labelInstructions(labels: Record<string, string>): Instruction[] {
  const location = { startLine: 0, endLine: 0 };
  return Object.entries(labels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => ({
      kind: "label",
      pairs: [[name, value]],
      original: `LABEL ${name}=${value}`,
      location,
      literal: true,
    }));
}
