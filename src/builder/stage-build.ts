/**
 * Builds one stage: its instructions in order, each from the image that the one before led to. An instruction whose key is in the
 * cache leads on at once; else it runs in a container, copies files into a fresh snapshot, or changes the config, and becomes an image.
 */
import type { ContainerConfig } from "../api/container-config.ts";
import { canceled, internal, invalidArgument } from "../base/errors.ts";
import { shortId } from "../base/ids.ts";
import { expandInstruction } from "../dockerfile/expand.ts";
import type { Instruction, Stage } from "../dockerfile/instructions.ts";
import { parseTrigger } from "../dockerfile/parse.ts";
import { applyInstruction, type RunConfigState } from "../dockerfile/run-config.ts";
import { makeDirectoryInRoot } from "../linux/make-directory.ts";
import type { Digest } from "../oci/digest.ts";
import type { Platform } from "../oci/platform.ts";
import type { Layer } from "../snapshots/layer-store.ts";
import type { BuildArgs } from "./build-args.ts";
import type { BuildRequest } from "./build-request.ts";
import type { BuildContext } from "./context/context.ts";
import type { CopyScanners } from "./context/copy-scanners.ts";
import { CopyStep } from "./copy-step.ts";
import { commentConfig, describe } from "./describe.ts";
import type { ImageSources } from "./image-sources.ts";
import type { BuildOutput } from "./output.ts";
import type { BuilderContainers, BuilderImages, BuilderLayers, BuilderSnapshots } from "./parts.ts";
import { RunStep } from "./run-step.ts";
import { cacheKey, type StepCache } from "./step-cache.ts";

const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What all stages of one build share. */
export interface BuildScope {
  request: BuildRequest;
  context: BuildContext;
  images: BuilderImages;
  containers: BuilderContainers;
  snapshots: BuilderSnapshots;
  layers: BuilderLayers;
  sources: ImageSources;
  scanners: CopyScanners;
  cache: StepCache;
  platform: Platform;
  /** Directory for files that last no longer than the build. */
  work: string;
  /** Directory of the cache mounts, which stay. */
  cacheMounts: string;
  signal: AbortSignal;
  escape: "\\" | "`";
  /** The image of an earlier stage (by name or number), building it first if need be; undefined: there is no such stage. */
  stage(name: string): Promise<StageImage> | undefined;
}

export interface StageImage {
  /** Undefined after `FROM scratch` alone. */
  image: Digest | undefined;
}

export interface StageState extends StageImage {
  readonly run: RunConfigState;
  readonly args: BuildArgs;
  author: string;
}

export class StageBuild {
  readonly scope: BuildScope;
  readonly output: BuildOutput;
  readonly state: StageState;
  private readonly stage: Stage;
  private readonly announce: (original: string) => void;

  constructor(
    scope: BuildScope,
    stage: Stage,
    args: BuildArgs,
    output: BuildOutput,
    announce: (original: string) => void,
  ) {
    this.scope = scope;
    this.stage = stage;
    this.output = output;
    this.announce = announce;
    this.state = { image: undefined, run: { config: {}, commandSet: false }, args, author: "" };
  }

  /** `base`: the FROM line's name, expanded. */
  async build(base: string, extra: readonly Instruction[]): Promise<StageImage> {
    this.announce(this.stage.original);
    await this.begin(base);
    this.output.text(` ---> ${this.state.image ? shortId(this.state.image) : ""}\n`);
    for (const instruction of [...this.stage.instructions, ...extra]) {
      if (this.scope.signal.aborted) throw canceled("Build cancelled");
      this.announce(instruction.original);
      await this.step(instruction);
      this.output.text(` ---> ${this.state.image ? shortId(this.state.image) : ""}\n`);
    }
    if (this.state.image !== undefined) this.output.id(this.state.image);
    return { image: this.state.image };
  }

  get config(): ContainerConfig {
    return this.state.run.config;
  }

  /** The image of an earlier stage (undefined when it has no files), or the one of that name. */
  async imageOf(name: string, platform?: string): Promise<Digest | undefined> {
    const stage = this.scope.stage(name);
    return stage ? (await stage).image : this.scope.sources.image(name, this.output, platform);
  }

  private async begin(base: string): Promise<void> {
    const { scope, state } = this;
    if (base === "") throw invalidArgument(`base name (${this.stage.base}) should not be blank`);
    if (base !== "scratch" || scope.stage(base)) state.image = await this.imageOf(base, this.stage.platform);
    const record = state.image === undefined ? undefined : scope.images.find(state.image);
    if (state.image !== undefined && !record) throw internal(`No such image: ${state.image}`);
    const config = structuredClone(record ? (scope.images.imageConfig(record).config ?? {}) : {}) as ContainerConfig;
    if (!config.Env?.some((entry) => entry.startsWith("PATH="))) config.Env = [...(config.Env ?? []), defaultPath];
    const triggers = config.OnBuild ?? [];
    config.OnBuild = null;
    state.run.config = config;
    if (triggers.length === 0) return;
    this.output.text(`# Executing ${triggers.length} build trigger${triggers.length > 1 ? "s" : ""}\n`);
    for (const trigger of triggers) await this.step(parseTrigger(trigger));
  }

  private async step(given: Instruction): Promise<void> {
    const { state, scope } = this;
    const instruction = expandInstruction(given, (name) => this.lookup(name), scope.escape);
    switch (instruction.kind) {
      case "run":
        return new RunStep(this, instruction).execute();
      case "copy":
      case "add":
        return new CopyStep(this, instruction).execute();
      case "arg":
        for (const { name, value } of instruction.args) state.args.declare(name, value);
        break;
      case "maintainer":
        state.author = instruction.name;
        break;
      default:
        applyInstruction(state.run, instruction);
    }
    if (instruction.kind === "workdir") return this.makeWorkingDirectory(describe(instruction, this.config));
    await this.commit(describe(instruction, this.config));
  }

  /** The value of a variable: the image's environment before arguments. */
  private lookup(name: string): string | undefined {
    const entry = this.config.Env?.find((variable) => variable.startsWith(`${name}=`));
    return entry === undefined ? this.state.args.get(name) : entry.slice(name.length + 1);
  }

  private async makeWorkingDirectory(comment: string[]): Promise<void> {
    const path = this.config.WorkingDir ?? "/";
    await this.commit(comment, (root) => makeDirectoryInRoot(root, path, { mode: 0o755, uid: 0, gid: 0 }));
  }

  /** The step's effect is its config, and what `change` does to the tree. */
  private async commit(comment: string[], change?: (root: string) => Promise<unknown> | unknown): Promise<void> {
    const containerConfig = commentConfig(this.config, comment);
    await this.reach([comment, this.config, this.state.author], containerConfig, () =>
      change ? this.change(containerConfig, change) : this.image(containerConfig, undefined),
    );
  }

  /** The image with what `change` does to the tree of the image so far. */
  async change(
    containerConfig: ContainerConfig,
    change: (root: string) => Promise<unknown> | unknown,
  ): Promise<Digest> {
    using _held = this.scope.images.hold();
    return await this.image(containerConfig, await this.layer(change));
  }

  /** Goes on to the image of the key: from the cache, or made by `work`. */
  async reach(key: unknown[], containerConfig: ContainerConfig, work: () => Promise<Digest>): Promise<void> {
    const { cache, request, platform } = this.scope;
    const whole = cacheKey(this.state.image ?? "scratch", platform, ...key);
    const found = request.noCache ? undefined : (cache.find(whole) ?? this.fromGivenImages(containerConfig));
    if (found !== undefined) {
      this.output.text(" ---> Using cache\n");
      this.state.image = found;
      return;
    }
    const description = (containerConfig.Cmd ?? []).join(" ");
    this.state.image = request.noCache ? await work() : await cache.build(whole, description, work);
    if (request.noCache) cache.record(whole, this.state.image, description);
  }

  private async layer(change: (root: string) => Promise<unknown> | unknown): Promise<Layer> {
    const { snapshots, images, signal } = this.scope;
    const key = `build-${crypto.randomUUID()}`;
    snapshots.prepare(key, (this.state.image && images.find(this.state.image)?.layers) || [], { plain: true });
    try {
      await change(snapshots.mount(key));
      return await snapshots.commit(key, signal);
    } finally {
      await snapshots.remove(key);
    }
  }

  async image(containerConfig: ContainerConfig, layer: Layer | undefined): Promise<Digest> {
    const { images, platform } = this.scope;
    const { image: parent, author } = this.state;
    return images.createBuildStep({ parent, layer, config: this.config, containerConfig, author, platform });
  }

  /** `--cache-from`: an image whose parent is where this build is, and whose newest step is this one. */
  private fromGivenImages(containerConfig: ContainerConfig): Digest | undefined {
    const { request, images } = this.scope;
    if (request.cacheFrom.length === 0) return undefined;
    const createdBy = (containerConfig.Cmd ?? []).join(" ");
    for (const name of request.cacheFrom) {
      const chain = this.ancestry(name);
      const at = chain.findIndex((id) => images.find(id)?.parent === this.state.image);
      const id = chain[at];
      const record = id === undefined ? undefined : images.find(id);
      if (record && images.imageConfig(record).history?.at(-1)?.created_by === createdBy) return id;
    }
    return undefined;
  }

  private ancestry(name: string): Digest[] {
    const { images } = this.scope;
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
