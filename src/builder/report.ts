/** What a build says while it runs. The classic builder's text and BuildKit's progress are two ways to tell it. */
import type { ProgressMessage } from "../api/system.ts";
import type { Instruction, Stage } from "../dockerfile/instructions.ts";
import type { Lookup } from "../dockerfile/words/shell-words.ts";
import type { Digest } from "../oci/digest.ts";

export interface BuildReport {
  /** Before the first stage. `stages`: what is built, in the order of the Dockerfile. */
  begin(plan: BuildPlan): void;
  /** `place`: index in `BuildPlan.stages`. Stages run at once. */
  stage(place: number): StageReport;
}

export interface BuildPlan {
  metaArgs: readonly Instruction[];
  stages: readonly PlannedStage[];
  /** Number of stages in the Dockerfile. */
  total: number;
}

export interface PlannedStage {
  /** Index in the Dockerfile. */
  index: number;
  stage: Stage;
  /** Number of instructions that the request adds to it: labels. */
  added: number;
}

export interface StageReport {
  /** A step begins, the FROM line (its base expanded) first. What is told next is about it. `lookup`: the variables that it sees. */
  step(step: Stage | Instruction, lookup: Lookup): void;
  /** The image of the FROM line is here; its triggers come next. */
  base(image: Digest | undefined): void;
  /** Of the base image's ONBUILD. */
  triggers(count: number): void;
  trigger(instruction: Instruction, lookup: Lookup): void;
  warning(text: string): void;
  pull(message: ProgressMessage): void;
  cached(): void;
  /** A container runs the step. */
  running(container: string): void;
  removed(container: string): void;
  output(stream: "stdout" | "stderr", text: string): void;
  /** The step is done, the FROM line with its triggers; its result is this image. */
  reached(image: Digest | undefined): void;
  /** The stage is done, or `error` ended it in the step told last. */
  finished(image: Digest | undefined): void;
  failed(error: unknown): void;
}
