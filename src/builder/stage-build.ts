/**
 * Builds one stage: its instructions in order, each from the image that the one before led to. An instruction whose key is in the
 * cache leads on at once; else it runs in a container, copies files into a fresh snapshot, or changes the config.
 */
import type { ContainerConfig } from "../api/container-config.ts";
import type { JobWorkers } from "../archive/processes/job-workers.ts";
import { canceled, invalidArgument } from "../base/errors.ts";
import { expandInstruction } from "../dockerfile/expand.ts";
import type { Instruction, Stage } from "../dockerfile/instructions.ts";
import { parseTrigger } from "../dockerfile/parse.ts";
import { applyInstruction, type RunConfigState } from "../dockerfile/run-config.ts";
import { makeDirectoryInRoot } from "../linux/make-directory.ts";
import type { Digest } from "../oci/digest.ts";
import type { ImageHistory } from "../oci/image-config.ts";
import { type Platform, parsePlatform } from "../oci/platform.ts";
import type { Layer } from "../snapshots/layer-store.ts";
import type { CommitOptions } from "../snapshots/snapshotter.ts";
import type { BuildArgs } from "./build-args.ts";
import type { SolveRequest } from "./build-request.ts";
import type { KeptDirectories } from "./cache/kept-directories.ts";
import { cacheKey, type StepCache } from "./cache/step-cache.ts";
import type { BuildContext } from "./context/context.ts";
import type { ImageSources } from "./image-sources.ts";
import type { BuilderContainers, BuilderImages, BuilderLayers, BuilderSnapshots } from "./parts.ts";
import type { StageReport } from "./report.ts";
import { isNumber } from "./stages.ts";
import type { StepKeeper } from "./step-keeper.ts";
import { CopyStep } from "./steps/copy-step.ts";
import { RunStep } from "./steps/run-step.ts";
import type { StepNetworks } from "./steps/step-networks.ts";

const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What all stages of one build share. */
export interface BuildScope {
  request: SolveRequest;
  /** The files that COPY and ADD take; received when they are first asked for. */
  context: () => Promise<BuildContext>;
  steps: StepKeeper;
  images: BuilderImages;
  containers: BuilderContainers;
  networks: StepNetworks;
  snapshots: BuilderSnapshots;
  layers: BuilderLayers;
  sources: ImageSources;
  workers: JobWorkers;
  cache: StepCache;
  platform: Platform;
  /** Directory for files that last no longer than the build. */
  work: string;
  /** Takes a directory away at once, and deletes it later. */
  discard(directory: string): void;
  /** Directory for secrets and sockets, on a file system in memory. */
  secrets: string;
  /** The cache mounts. */
  kept: KeptDirectories;
  /** Cache mounts that this build has begun anew: without a cache they begin empty, too, as with BuildKit. */
  renewed: Set<string>;
  signal: AbortSignal;
  escape: "\\" | "`";
  /** The stage's place in the Dockerfile. */
  index: number;
  /** An earlier stage (by name or number) as it ended, built first if need be; undefined: there is no such stage. */
  stage(name: string): Promise<StageState> | undefined;
  /** True: what was cached of this stage does not count. */
  ignoresCache: boolean;
}

export interface StageState {
  /** What it is built for: the FROM line's, that of the stage that it begins with, or the build's. */
  platform: Platform;
  /** The image of the FROM line, another stage's maybe. */
  base: Digest | undefined;
  /** Undefined after `FROM scratch` alone. */
  image: Digest | undefined;
  readonly run: RunConfigState;
  readonly args: BuildArgs;
  author: string;
  /** Of the image that the stage leads to, where steps are no images (`LayerSteps`); entries without a time changed no file. */
  history: ImageHistory[];
  /** CPU variant of the base image. */
  variant: string | undefined;
  /** So many layers were there before the build: those of the image that the first stage of the line began with. */
  baseLayers: number;
}

/** What is done when a step is not in the cache. */
export interface Uncached {
  /** For listings of the cache. */
  description: string;
  work: () => Promise<Digest>;
  /** Another place where the result may be found. */
  otherwise?: (key: string) => Promise<Digest | undefined>;
  /** Whether it is the only one. */
  onlyOtherwise?: boolean;
  /** Whether what was found there is cached from now on. */
  remember?: boolean;
}

/** Runs jobs of the snapshotter. */
export function runOn(workers: JobWorkers): NonNullable<CommitOptions["run"]> {
  return (job, options) => workers.run(job, options);
}

export class StageBuild {
  readonly scope: BuildScope;
  readonly report: StageReport;
  readonly state: StageState;
  /** Instructions that the request adds, not the Dockerfile. */
  readonly added = new Set<Instruction>();
  private readonly stage: Stage;

  constructor(scope: BuildScope, stage: Stage, args: BuildArgs, report: StageReport) {
    this.scope = scope;
    this.stage = stage;
    this.report = report;
    this.state = {
      platform: stage.platform ? parsePlatform(stage.platform) : scope.platform,
      base: undefined,
      image: undefined,
      run: { config: {}, commandSet: false },
      args,
      author: "",
      history: [],
      variant: undefined,
      baseLayers: 0,
    };
  }

  /** `base`: the FROM line's name, expanded. */
  async build(base: string, extra: readonly Instruction[]): Promise<StageState> {
    const { report, state } = this;
    for (const instruction of extra) this.added.add(instruction);
    try {
      const lookup = (name: string) => this.lookup(name);
      report.step({ ...this.stage, base }, lookup);
      await this.begin(base);
      report.base(state.image);
      await this.runTriggers();
      report.reached(state.image);
      for (const instruction of [...this.stage.instructions, ...extra]) {
        if (this.scope.signal.aborted) throw canceled("Build cancelled");
        report.step(instruction, lookup);
        await this.step(instruction);
        report.reached(state.image);
      }
      report.finished(state.image);
      return state;
    } catch (error) {
      report.failed(error);
      throw error;
    }
  }

  get config(): ContainerConfig {
    return this.state.run.config;
  }

  /** The image of an earlier stage (undefined when it has no files), or the one of that name. */
  async imageOf(name: string, platform?: string): Promise<Digest | undefined> {
    const stage = this.scope.stage(name);
    return stage ? (await stage).image : this.scope.sources.image(name, this.report, platform);
  }

  /** The tree of what `--from` names: a stage, a directory of the client's, or an image. Undefined: a stage without files. */
  async treeOf(name: string): Promise<{ root: string; image: Digest | undefined } | undefined> {
    const { scope } = this;
    const directory = scope.stage(name) ? undefined : scope.sources.directory(name);
    if (directory) return { root: await directory, image: undefined };
    const image = await this.imageOf(name);
    return image === undefined ? undefined : { root: scope.sources.root(image), image };
  }

  private async begin(base: string): Promise<void> {
    const { scope, state } = this;
    if (base === "") throw invalidArgument(`base name (${this.stage.base}) should not be blank`);
    // A number is an image's name here.
    const earlier = isNumber(base) ? undefined : scope.stage(base);
    if (earlier) {
      const before = await earlier;
      if (!this.stage.platform) state.platform = before.platform;
      scope.steps.startFromStage(state, before);
    } else if (base !== "scratch") {
      scope.steps.startFromImage(state, await scope.sources.image(base, this.report, this.stage.platform));
    }
    state.base = state.image;
    const { config } = state.run;
    if (!config.Env?.some((entry) => entry.startsWith("PATH="))) config.Env = [...(config.Env ?? []), defaultPath];
  }

  /** What ONBUILD of the base image asks for. */
  private async runTriggers(): Promise<void> {
    const { config } = this.state.run;
    const triggers = config.OnBuild ?? [];
    config.OnBuild = null;
    if (triggers.length === 0) return;
    this.report.triggers(triggers.length);
    for (const trigger of triggers) {
      const instruction = parseTrigger(trigger);
      this.report.trigger(instruction, (name) => this.lookup(name));
      await this.step(instruction);
    }
  }

  private async step(given: Instruction): Promise<void> {
    const { state, scope } = this;
    const instruction = expandInstruction(given, (name) => this.lookup(name), scope.escape);
    if (this.added.has(given)) this.added.add(instruction);
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
    if (instruction.kind === "workdir") return this.makeWorkingDirectory(instruction);
    await scope.steps.metadata(this, instruction);
  }

  /** The value of a variable: the image's environment before arguments. */
  private lookup(name: string): string | undefined {
    const entry = this.config.Env?.find((variable) => variable.startsWith(`${name}=`));
    return entry === undefined ? this.state.args.get(name) : entry.slice(name.length + 1);
  }

  private async makeWorkingDirectory(instruction: Extract<Instruction, { kind: "workdir" }>): Promise<void> {
    const path = this.config.WorkingDir ?? "/";
    const { steps } = this.scope;
    if (path === "/" && steps.skipsRoot) return steps.metadata(this, instruction);
    const make = (root: string) => makeDirectoryInRoot(root, path, { mode: 0o755, uid: 0, gid: 0 });
    await steps.files(this, { instruction }, [path], async (keep) => {
      using _held = this.scope.images.hold();
      return await keep(await this.layer(this.state.image, make));
    });
  }

  /** Goes on to the image of the key: from the cache, or made by `work`. Resolves with the key as the cache knows it. */
  async reach(key: unknown[], step: Uncached): Promise<string> {
    const { description, work } = step;
    const { cache, ignoresCache } = this.scope;
    const whole = cacheKey(this.state.platform, ...key);
    const here = ignoresCache || step.onlyOtherwise ? undefined : cache.find(whole);
    const found = here ?? (ignoresCache ? undefined : await this.findOtherwise(whole, step));
    if (found !== undefined) {
      this.report.cached();
      this.state.image = found;
      return whole;
    }
    this.state.image = ignoresCache ? await work() : await cache.build(whole, description, work);
    if (ignoresCache) cache.record(whole, this.state.image, description);
    return whole;
  }

  private async findOtherwise(
    key: string,
    { description, otherwise, remember }: Uncached,
  ): Promise<Digest | undefined> {
    const found = await otherwise?.(key);
    if (found !== undefined && remember) this.scope.cache.record(key, found, description);
    return found;
  }

  /** What `change` does to the tree of an image. */
  async layer(image: Digest | undefined, change: (root: string) => Promise<unknown> | unknown): Promise<Layer> {
    const { snapshots, images, workers, signal } = this.scope;
    const key = `build-${crypto.randomUUID()}`;
    snapshots.prepare(key, (image && images.find(image)?.layers) || [], { plain: true });
    try {
      await change(snapshots.mount(key));
      return await snapshots.commit(key, { signal, consume: true, run: runOn(workers) });
    } finally {
      await snapshots.remove(key);
    }
  }
}
