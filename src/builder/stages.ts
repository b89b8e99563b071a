/** Which stages of a Dockerfile a build needs: the target and whatever it stands on or copies from. The others never run. */
import { invalidArgument } from "../base/errors.ts";
import type { Dockerfile, Instruction, Stage } from "../dockerfile/instructions.ts";

/** Throws `invalid-argument` when two stages have one name. */
export function checkStageNames(stages: readonly Stage[]): void {
  const names = stages.flatMap(({ name }) => name ?? []);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw invalidArgument(`${twice} stage name already used`);
}

/** The target's index. Throws `invalid-argument` in Docker's words. */
export function targetStage(dockerfile: Dockerfile, target: string): number {
  const { stages } = dockerfile;
  if (target === "") return stages.length - 1;
  const index = stageIndex(stages, target);
  if (index === undefined) throw invalidArgument(`target stage "${target}" could not be found`);
  return index;
}

/** A stage by name (any case) or number, among the given ones. */
export function stageIndex(stages: readonly Stage[], name: string): number | undefined {
  const wanted = name.toLowerCase();
  const named = stages.findLastIndex((stage) => stage.name?.toLowerCase() === wanted);
  if (named >= 0) return named;
  return isNumber(name) && Number(name) < stages.length ? Number(name) : undefined;
}

/** What FROM means by a name: a number there is an image's name. */
export function baseStage(stages: readonly Stage[], name: string): number | undefined {
  return isNumber(name) ? undefined : stageIndex(stages, name);
}

/** Whether it reads as a number, as where one cannot be an image's name. */
export function isInteger(name: string): boolean {
  return /^[+-]?\d+$/.test(name);
}

/** Whether a name can only be a stage's number. */
export function isNumber(name: string): boolean {
  return /^\d+$/.test(name);
}

/** Indexes of the stages that the target needs, itself last. */
export function neededStages(stages: readonly Stage[], target: number, base: (stage: Stage) => string): number[] {
  const needed = new Set<number>();
  const visit = (index: number) => {
    if (needed.has(index)) return;
    needed.add(index);
    const earlier = stages.slice(0, index);
    const stage = stages[index] as Stage;
    const sources = stage.instructions.flatMap(sourcesOf).map((name) => stageIndex(earlier, name));
    for (const found of [baseStage(earlier, base(stage)), ...sources]) if (found !== undefined) visit(found);
  };
  visit(target);
  return [...needed].sort((a, b) => a - b);
}

function sourcesOf(instruction: Instruction): string[] {
  if (instruction.kind === "copy" || instruction.kind === "add") return instruction.from ? [instruction.from] : [];
  return instruction.kind === "run" ? instruction.mounts.flatMap((mount) => mountSource(mount) ?? []) : [];
}

/** What `RUN --mount=from=` names. Not parsed yet: variables are replaced when the step runs, but `from` has none. */
export function mountSource(mount: string): string | undefined {
  return /(?:^|,)from=([^,]+)/.exec(mount)?.[1];
}
