/**
 * Mistakes in how stages name each other, which BuildKit finds before it builds anything.
 * Source: moby/buildkit frontend/dockerfile/dockerfile2llb/convert.go.
 */
import { invalidArgument } from "../../base/errors.ts";
import { isInteger, mountSource, stageIndex } from "../../builder/stages.ts";
import type { Instruction, Location, Stage } from "../../dockerfile/instructions.ts";

interface Use {
  /** The stage's place; undefined: the name is an image's. */
  stage: number | undefined;
  location: Location;
  /** What is said of a use of a later stage. */
  problem: string;
}

/** Throws for stages that are not there, and for those that need themselves, whether they are built or not; `at` is told where. */
export function checkCircles(stages: readonly Stage[], at: (location: Location) => void): void {
  const circle = findCircle(stages.map((_, index) => usesBy(stages, index)));
  if (!circle) return;
  const { index, location } = circle;
  at(location);
  throw invalidArgument(`circular dependency detected on stage: ${stageName(stages[index] as Stage, index)}`);
}

/** Throws for what stages that are built cannot do; `at` is told where. */
export function checkNeeded(
  stages: readonly Stage[],
  needed: readonly number[],
  at: (location: Location) => void,
): void {
  for (const index of needed) {
    for (const { stage, location, problem } of usesBy(stages, index)) {
      if (stage === undefined || stage < index) continue;
      at(location);
      throw invalidArgument(problem);
    }
    for (const instruction of stages[index]?.instructions ?? []) {
      if (instruction.kind !== "run" || instruction.command.length > 0) continue;
      throw invalidArgument("failed to marshal LLB definition: arguments are required");
    }
  }
}

function usesBy(stages: readonly Stage[], index: number): Use[] {
  const stage = stages[index] as Stage;
  return stage.instructions.flatMap((instruction) => usesOf(stages, instruction, stageName(stage, index)));
}

function stageName({ name }: Stage, index: number): string {
  return name ?? `stage-${index}`;
}

function usesOf(stages: readonly Stage[], instruction: Instruction, current: string): Use[] {
  const { location } = instruction;
  if (instruction.kind === "copy" || instruction.kind === "add") {
    const { from } = instruction;
    if (from === undefined) return [];
    const stage = stageIndex(stages, from);
    if (stage === undefined && isInteger(from)) throw invalidArgument(`invalid stage index ${from}`);
    const problem = `cannot copy from stage "${from}", it needs to be defined before current stage "${current}"`;
    return [{ stage, location, problem }];
  }
  if (instruction.kind !== "run") return [];
  return instruction.mounts.flatMap((mount) => {
    const from = mountSource(mount);
    if (from === undefined) return [];
    const [, target = ""] = /(?:^|,)(?:target|dst|destination)=([^,]+)/.exec(mount) ?? [];
    const problem = `cannot mount from stage "${from}" to "${target}", stage needs to be defined before current command`;
    return [{ stage: stageIndex(stages, from), location, problem }];
  });
}

/** A stage that copies from itself, by others or at once, and where it says so; undefined: there is none. FROM always goes back. */
function findCircle(uses: readonly Use[][]): { index: number; location: Location } | undefined {
  const done = new Set<number>();
  const visit = (index: number, path: number[]): { index: number; location: Location } | undefined => {
    for (const { stage: to, location } of uses[index] ?? []) {
      if (to === undefined) continue;
      if (to === index || path.includes(to)) return { index: to, location };
      const found = done.has(to) ? undefined : visit(to, [...path, index]);
      if (found) return found;
    }
    done.add(index);
    return undefined;
  };
  for (const index of uses.keys()) {
    const found = visit(index, []);
    if (found) return found;
  }
  return undefined;
}
