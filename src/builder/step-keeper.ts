/**
 * How a build keeps what its steps lead to: every step as an image (image-steps.ts, the classic builder), or as layers of the one image
 * that it ends with (layer-steps.ts, BuildKit).
 */
import type { CopyInstruction, Instruction, RunInstruction } from "../dockerfile/instructions.ts";
import type { Digest } from "../oci/digest.ts";
import type { Layer } from "../snapshots/layer-store.ts";
import type { StageBuild, StageState } from "./stage-build.ts";

/** A step that changes files, expanded. */
export type FileStep =
  /** `command`: what runs, with the arguments that it sees before it. */
  | { instruction: RunInstruction; command: string[] }
  /** `digest`: of the files, as `prepareCopy` gives it. */
  | { instruction: CopyInstruction; digest: string }
  | { instruction: Extract<Instruction, { kind: "workdir" }> };

/** Makes the step's layer and hands it to `keep`, whose result it returns. */
export type FileWork = (keep: (layer: Layer | undefined) => Promise<Digest>) => Promise<Digest>;

export interface StepKeeper {
  /** `WORKDIR /` changes no file: no step is made of it. */
  readonly skipsRoot: boolean;
  /** Whether a RUN sees volumes where the image declares them: what it writes there is no part of its layer. */
  readonly mountsVolumes: boolean;
  /** Lets a stage start from an image. */
  startFromImage(state: StageState, image: Digest): void;
  /** Lets a stage start where an earlier one ended. */
  startFromStage(state: StageState, earlier: StageState): void;
  /** The arguments that a RUN is recorded with; `environment`: those that it sees. */
  recordedArguments(state: StageState, environment: Readonly<Record<string, string>>): string[];
  /** A step that changes the config alone; the stage's state has its effect. */
  metadata(build: StageBuild, instruction: Instruction): Promise<void>;
  /** A step that changes files. `key`: everything of the step itself that decides whether a cached result is right. */
  files(build: StageBuild, step: FileStep, key: unknown[], work: FileWork): Promise<void>;
}
