/** Every step becomes an image whose parent is the one before it, as in the classic builder. */
import type { ContainerConfig } from "../api/container-config.ts";
import { internal } from "../base/errors.ts";
import type { Instruction } from "../dockerfile/instructions.ts";
import type { BuildStepRequest } from "../engine/images/builds/build-step.ts";
import { findVolumeDirectory } from "../engine/volumes/mounts/copy-up.ts";
import type { Digest } from "../oci/digest.ts";
import type { ImageConfig, ImageHistory } from "../oci/image-config.ts";
import type { Platform } from "../oci/platform.ts";
import type { Layer } from "../snapshots/layer-store.ts";
import { commentConfig, describe } from "./history/describe.ts";
import type { BuilderImages } from "./parts.ts";
import type { StageBuild, StageState } from "./stage-build.ts";
import type { FileStep, FileWork, StepKeeper } from "./step-keeper.ts";

export class ImageSteps implements StepKeeper {
  readonly skipsRoot = false;
  readonly mountsVolumes = true;
  private readonly images: BuilderImages;
  private readonly platform: Platform;
  /** Names of the images whose steps alone serve as cache; none: what was built here does. */
  private readonly cacheFrom: readonly string[];

  constructor(images: BuilderImages, platform: Platform, cacheFrom: readonly string[]) {
    this.images = images;
    this.platform = platform;
    this.cacheFrom = cacheFrom;
  }

  startFromImage(state: StageState, image: Digest): void {
    const record = this.images.find(image);
    if (!record) throw internal(`No such image: ${image}`);
    state.image = image;
    state.run.config = structuredClone(this.images.imageConfig(record).config ?? {}) as ContainerConfig;
  }

  startFromStage(state: StageState, { image }: StageState): void {
    if (image !== undefined) this.startFromImage(state, image);
  }

  recordedArguments({ args }: StageState, environment: Readonly<Record<string, string>>): string[] {
    return Object.keys(environment)
      .filter((name) => !args.isTransparent(name))
      .sort()
      .map((name) => `${name}=${environment[name]}`);
  }

  metadata(build: StageBuild, instruction: Instruction): Promise<void> {
    const { state } = build;
    const comment = describe(instruction, state.run.config);
    const key = [comment, state.run.config, state.author];
    return this.reach(build, key, commentConfig(state.run.config, comment), (keep) => {
      if (instruction.kind === "volume") checkVolumes(build, instruction.paths);
      return keep(undefined);
    });
  }

  files(build: StageBuild, step: FileStep, key: unknown[], work: FileWork): Promise<void> {
    const { run, author } = build.state;
    return this.reach(build, [...key, run.config, author], containerConfig(step, run.config), work);
  }

  private async reach(build: StageBuild, key: unknown[], config: ContainerConfig, work: FileWork): Promise<void> {
    const { state } = build;
    const description = (config.Cmd ?? []).join(" ");
    await build.reach([state.image ?? "scratch", ...key], {
      description,
      work: () => work((layer) => this.keep(state, config, layer)),
      ...(this.cacheFrom.length > 0 && {
        otherwise: async () => this.fromGivenImages(state, description) ?? (await this.fromHistories(state, config)),
        onlyOtherwise: true,
      }),
    });
  }

  private keep(state: StageState, containerConfig: ContainerConfig, layer: Layer | undefined): Promise<Digest> {
    const { image: parent, author, run } = state;
    const { platform } = this;
    return this.images.createBuildStep({ parent, layer, config: run.config, containerConfig, author, platform });
  }

  /** `--cache-from`: an image whose parent is where this build is, and whose newest step is this one. */
  private fromGivenImages(state: StageState, createdBy: string): Digest | undefined {
    const { images } = this;
    for (const name of this.cacheFrom) {
      const chain = this.ancestry(name);
      const id = chain.find((image) => images.find(image)?.parent === state.image);
      const record = id === undefined ? undefined : images.find(id);
      if (record && images.imageConfig(record).history?.at(-1)?.created_by === createdBy) return id;
    }
    return undefined;
  }

  /**
   * `--cache-from` an image that came from elsewhere and has no parents here: where its history goes on from this build's with the same
   * step, that step is taken over, with its layer; its last one is the image itself. moby: image/cache/cache.go
   */
  private async fromHistories(state: StageState, containerConfig: ContainerConfig): Promise<Digest | undefined> {
    const { images } = this;
    const record = state.image === undefined ? undefined : images.find(state.image);
    const here = record ? images.imageConfig(record) : undefined;
    const createdBy = (containerConfig.Cmd ?? []).join(" ");
    for (const name of this.cacheFrom) {
      const [target] = this.ancestry(name);
      const found = target === undefined ? undefined : images.find(target);
      const next = found && nextStep(here, images.imageConfig(found), createdBy);
      if (!next) continue;
      const { image: parent, author, run } = state;
      const { platform } = this;
      if (next.isLast) {
        if (parent !== undefined && found.parent === undefined) images.adopt(found.id, parent);
        return found.id;
      }
      return images.createBuildStep({ parent, config: run.config, containerConfig, author, platform, ...next });
    }
    return undefined;
  }

  private ancestry(name: string): Digest[] {
    const { images } = this;
    const chain: Digest[] = [];
    try {
      for (let id: Digest | undefined = images.resolve(name).id; id !== undefined; id = images.find(id)?.parent)
        chain.push(id);
    } catch {
      // An image that is not here is no cache, and no error.
    }
    return chain;
  }
}

/** dockerd makes a container of every step, and in it the volumes. */
function checkVolumes({ state: { image }, scope }: StageBuild, paths: readonly string[]): void {
  if (image === undefined) return;
  const root = scope.sources.root(image);
  for (const path of paths) findVolumeDirectory(root, path);
}

/** The step after `here` in the other image's history, if all before it is the same. */
function nextStep(
  here: ImageConfig | undefined,
  other: ImageConfig,
  createdBy: string,
): (Pick<BuildStepRequest, "history" | "layer"> & { isLast: boolean }) | undefined {
  const [past, below] = [here?.history ?? [], here?.rootfs.diff_ids ?? []];
  const history = other.history?.[past.length];
  if (!history || history.created_by !== createdBy) return undefined;
  const isSame = (step: ImageHistory, at: number) => Bun.deepEquals(step, other.history?.[at]);
  if (!past.every(isSame) || !below.every((diffId, at) => diffId === other.rootfs.diff_ids[at])) return undefined;
  const isLast = other.history?.length === past.length + 1;
  if (history.empty_layer) return { history, isLast };
  const diffId = other.rootfs.diff_ids[below.length];
  return diffId === undefined ? undefined : { history, layer: { diffId }, isLast };
}

/** The config as the step's container would have had it: `docker history` shows its command. */
function containerConfig(step: FileStep, config: ContainerConfig): ContainerConfig {
  const { instruction } = step;
  if ("command" in step) return { ...config, Cmd: step.command, Entrypoint: null, ArgsEscaped: true };
  if (instruction.kind === "workdir") return commentConfig(config, describe(instruction, config));
  if (!("digest" in step)) throw new Error(`a step ${instruction.kind} changes no files`);
  const { chown, chmod, destination } = step.instruction;
  const flags = [chown === undefined ? "" : `--chown=${chown} `, chmod === undefined ? "" : `--chmod=${chmod} `].join(
    "",
  );
  const name = instruction.kind === "add" ? "ADD" : "COPY";
  return commentConfig(config, [`#(nop) ${name} ${flags}${step.digest} in ${destination} `]);
}
