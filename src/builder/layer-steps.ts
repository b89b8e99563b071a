/**
 * Steps as layers of the image that the build ends with, as in BuildKit: what changes the config alone leaves nothing but a line of the
 * history, and decides about no later step but those that see it. Source: buildkit frontend/dockerfile/dockerfile2llb/convert.go.
 */
import type { ContainerConfig } from "../api/container-config.ts";
import { internal } from "../base/errors.ts";
import type { Instruction } from "../dockerfile/instructions.ts";
import type { Digest } from "../oci/digest.ts";
import type { ImageHistory } from "../oci/image-config.ts";
import type { ReachedStep } from "./cache/cache-manifest.ts";
import type { CacheImports } from "./cache/imports.ts";
import { historyOf, historyOfFiles } from "./history/step-history.ts";
import type { BuilderImages } from "./parts.ts";
import type { StageBuild, StageState } from "./stage-build.ts";
import type { FileStep, FileWork, StepKeeper } from "./step-keeper.ts";

const comment = "buildkit.dockerfile.v0";

export class LayerSteps implements StepKeeper {
  readonly skipsRoot = true;
  readonly mountsVolumes = false;
  /** Those that changed files, of all stages. */
  readonly reached: ReachedStep[] = [];
  private readonly images: BuilderImages;
  /** Caches elsewhere. */
  private readonly imports: CacheImports | undefined;

  constructor(images: BuilderImages, imports?: CacheImports) {
    this.images = images;
    this.imports = imports;
  }

  startFromImage(state: StageState, image: Digest): void {
    const record = this.images.find(image);
    if (!record) throw internal(`No such image: ${image}`);
    const config = this.images.imageConfig(record);
    state.image = image;
    state.run.config = structuredClone(config.config ?? {}) as ContainerConfig;
    state.history = structuredClone(config.history ?? []);
    state.author = config.author ?? "";
    state.variant = config.variant;
    state.baseLayers = record.layers.length;
  }

  startFromStage(state: StageState, earlier: StageState): void {
    state.image = earlier.image;
    state.run.config = structuredClone(earlier.run.config);
    state.history = structuredClone(earlier.history);
    state.author = earlier.author;
    state.variant = earlier.variant;
    state.baseLayers = earlier.baseLayers;
  }

  recordedArguments({ args }: StageState): string[] {
    return args.declarations().map(([name, value]) => `${name}=${value}`);
  }

  async metadata({ state, added }: StageBuild, instruction: Instruction): Promise<void> {
    // Long without a meaning on Linux, and there all the same.
    if (instruction.kind === "cmd" || instruction.kind === "entrypoint") state.run.config.ArgsEscaped = true;
    const text = historyOf(instruction, state);
    if (text === undefined || added.has(instruction)) return;
    state.history.push({ created_by: text, comment, empty_layer: true });
  }

  async files(build: StageBuild, step: FileStep, key: unknown[], work: FileWork): Promise<void> {
    const { state } = build;
    const { Env, User, WorkingDir, Shell } = state.run.config;
    const below = this.layersOf(state);
    const description = historyOfFiles(step, state);
    const seen = step.instruction.kind === "run" ? [Env, User, WorkingDir, Shell] : [];
    const { imports } = this;
    const whole = await build.reach(["layers", below, step.instruction.kind, ...key, ...seen], {
      description,
      work: () => work((layer) => this.images.createCacheStep(layer ? [...below, layer.diffId] : below)),
      ...(imports && { otherwise: (wanted: string) => imports.find(wanted), remember: true }),
    });
    const record = this.images.find(state.image as Digest);
    if (!record) throw internal(`No such image: ${state.image}`);
    this.reached.push({ key: whole, description, layers: record.layers });
    const entry: ImageHistory = { created: record.created, created_by: description, comment };
    if (record.layers.length === below.length) entry.empty_layer = true;
    state.history.push(entry);
  }

  private layersOf({ image }: StageState): Digest[] {
    return (image && this.images.find(image)?.layers) || [];
  }
}
