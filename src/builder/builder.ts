/**
 * The builder: Dockerfile and context in, image out. Stages that do not need each other are built at once, those that the target does
 * not need never; every step is looked up in the cache first. Source: Docker Engine API, "Build an image".
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ProgressMessage } from "../api/system.ts";
import { errorKind, internal, invalidArgument } from "../base/errors.ts";
import { shortId } from "../base/ids.ts";
import type { Dockerfile, Instruction, Stage } from "../dockerfile/instructions.ts";
import { automaticArgs } from "../dockerfile/known-args.ts";
import { parseDockerfile } from "../dockerfile/parse.ts";
import { expandWord } from "../dockerfile/shell-words.ts";
import type { Database } from "../metadata/database.ts";
import type { Digest } from "../oci/digest.ts";
import { hostPlatform, type Platform, parsePlatform } from "../oci/platform.ts";
import { familiarName, familiarString, parseReference, type Reference, withDefaultTag } from "../oci/reference.ts";
import { BuildArgs } from "./build-args.ts";
import type { BuildRequest } from "./build-request.ts";
import { type CachePruneRequest, type CachePruneResult, pruneCache } from "./cache-prune.ts";
import { type BuildContext, receiveContext } from "./context/context.ts";
import { CopyScanners } from "./context/copy-scanners.ts";
import { remoteContext } from "./context/remote-context.ts";
import { ImageSources } from "./image-sources.ts";
import { BuildOutput, OrderedOutputs } from "./output.ts";
import type { BuilderContainers, BuilderImages, BuilderLayers, BuilderSnapshots } from "./parts.ts";
import { type BuildScope, StageBuild, type StageImage } from "./stage-build.ts";
import { checkStageNames, neededStages, stageIndex, targetStage } from "./stages.ts";
import { StepCache } from "./step-cache.ts";

export interface BuilderDependencies {
  images: BuilderImages;
  containers: BuilderContainers;
  snapshots: BuilderSnapshots;
  layers: BuilderLayers;
  database: Database;
  /**
   * On the disk of the layers, and this object's alone: `cache-mounts`, which stay, and `work`, where everything lies that lasts no longer
   * than a build.
   */
  directory: string;
}

export class Builder {
  private readonly deps: BuilderDependencies;
  private readonly cache: StepCache;
  private readonly work: string;

  constructor(deps: BuilderDependencies) {
    this.deps = deps;
    this.cache = new StepCache(deps.database, (image) => deps.images.find(image) !== undefined);
    this.work = join(deps.directory, "work");
  }

  /** Removes what builds of an earlier daemon left. Call once, before the first build. */
  reconcile(): void {
    rmSync(this.work, { recursive: true, force: true });
  }

  /** Resolves with the image's id. What is wrong with the request is refused before anything is said. */
  async build(request: BuildRequest, say: (message: ProgressMessage) => void): Promise<Digest> {
    const tags = request.tags.map(parseTag);
    const platform = request.platform ? parsePlatform(request.platform) : hostPlatform();
    const output = new BuildOutput(say);
    mkdirSync(this.work, { recursive: true, mode: 0o700 });
    const { context, text } = await this.openContext(request, output);
    await using _context = context;
    // The parser does not know the name.
    if (text === "") throw invalidArgument(`the Dockerfile (${request.dockerfile}) cannot be empty`);
    const dockerfile = parseDockerfile(text);
    warnOfEmptyContinuations(dockerfile, output);
    await using sources = new ImageSources(this.deps.images, this.deps.snapshots, request);
    await using scanners = new CopyScanners();
    using _flushed = { [Symbol.dispose]: () => this.cache.flush() };
    const image = await this.buildStages({ request, context, platform, sources, scanners, dockerfile, say });
    output.text(`Successfully built ${shortId(image)}\n`);
    for (const reference of tags) {
      await this.deps.images.tag(image, familiarName(reference), reference.tag ?? "latest");
      output.text(`Successfully tagged ${familiarString(reference)}\n`);
    }
    return image;
  }

  prune(request: CachePruneRequest): Promise<CachePruneResult> {
    return pruneCache(this.cache, this.deps.images, request);
  }

  private async openContext(
    request: BuildRequest,
    output: BuildOutput,
  ): Promise<{ context: BuildContext; text: string }> {
    const { dockerfile, signal } = request;
    const options = { parent: this.work, dockerfile, signal };
    if (request.remote === "") {
      if (!request.context) throw invalidArgument("the build has no context");
      const context = await receiveContext(request.context, options);
      return { context, text: await orDispose(context, () => context.dockerfile()) };
    }
    const progress = (line: string) => output.text(line);
    const found = await remoteContext(request.remote, { ...options, progress });
    const { context } = found;
    if (found.dockerfile !== undefined) return { context, text: found.dockerfile };
    return { context, text: await orDispose(context, () => context.dockerfile()) };
  }

  private async buildStages(build: {
    request: BuildRequest;
    context: BuildContext;
    platform: Platform;
    sources: ImageSources;
    scanners: CopyScanners;
    dockerfile: Dockerfile;
    say: (message: ProgressMessage) => void;
  }): Promise<Digest> {
    const { request, dockerfile, platform, say } = build;
    checkStageNames(dockerfile.stages);
    const target = targetStage(dockerfile, request.target);
    const args = BuildArgs.global(request.args, automaticArgs(platform, request.target || undefined));
    const expand = (word: string) => expandWord(word, (name) => args.get(name), dockerfile.directives.escape);
    for (const { args: declared } of dockerfile.metaArgs) {
      for (const { name, value } of declared) args.declare(name, value === undefined ? undefined : expand(value));
    }
    const base = (stage: Stage) => expand(stage.base);
    const needed = neededStages(dockerfile.stages, target, base);
    const labels = Object.entries(request.labels)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(labelInstruction);
    const steps = (index: number) => 1 + stageOf(index).instructions.length + (index === target ? labels.length : 0);
    const stageOf = (index: number) => dockerfile.stages[index] as Stage;
    const total = dockerfile.metaArgs.length + needed.reduce((sum, index) => sum + steps(index), 0);
    const outputs = new OrderedOutputs(say, needed.length);
    const failed = new AbortController();
    const running = new Map<number, Promise<StageImage>>();
    const scope = (index: number): BuildScope => ({
      request,
      context: build.context,
      images: this.deps.images,
      containers: this.deps.containers,
      snapshots: this.deps.snapshots,
      layers: this.deps.layers,
      sources: build.sources,
      scanners: build.scanners,
      cache: this.cache,
      platform,
      work: this.work,
      cacheMounts: join(this.deps.directory, "cache-mounts"),
      signal: AbortSignal.any([request.signal, failed.signal]),
      escape: dockerfile.directives.escape,
      stage: (name) => {
        const found = stageIndex(dockerfile.stages.slice(0, index), name);
        return found === undefined ? undefined : start(found);
      },
    });
    const start = (index: number): Promise<StageImage> => {
      const known = running.get(index);
      if (known) return known;
      const place = needed.indexOf(index);
      let step = dockerfile.metaArgs.length + needed.slice(0, place).reduce((sum, other) => sum + steps(other), 0);
      const output = outputs.output(place);
      const stage = stageOf(index);
      const announce = (original: string) => output.line(`Step ${++step}/${total} : ${original}`);
      const building = new StageBuild(scope(index), stage, args.stage(), output, announce)
        .build(base(stage), index === target ? labels : [])
        .then(
          (result) => {
            outputs.end(place);
            return result;
          },
          (error: unknown) => {
            outputs.interrupt(place);
            failed.abort();
            throw error;
          },
        );
      running.set(index, building);
      return building;
    };
    for (const [at, { original }] of dockerfile.metaArgs.entries())
      new BuildOutput(say).line(`Step ${at + 1}/${total} : ${original}`);
    const results = await Promise.allSettled(needed.map(start));
    // What failed first made the others stop: theirs are only "cancelled".
    const errors = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
    if (errors.length > 0) throw errors.find((error) => errorKind(error) !== "canceled") ?? errors[0];
    const { image } = await (running.get(target) as Promise<StageImage>);
    if (image === undefined) throw internal("No image was generated. Is your Dockerfile empty?");
    const unused = args.unused();
    if (unused.length > 0)
      new BuildOutput(say).text(`[Warning] One or more build-args [${unused.join(" ")}] were not consumed\n`);
    return image;
  }
}

/** As dockerd, before the first step. */
function warnOfEmptyContinuations({ warnings, lines }: Dockerfile, output: BuildOutput): void {
  const places = warnings.map(({ location }) => location.endLine);
  const found = lines.filter(({ location: { startLine, endLine } }) =>
    places.some((place) => startLine <= place && place <= endLine),
  );
  if (found.length === 0) return;
  const shown = found.map(({ original }) => `[WARNING]: Empty continuation line found in: ${original}\n`);
  output.error(`${shown.join("")}[WARNING]: Empty continuation lines will become errors in a future release.\n`);
}

function labelInstruction([name, value]: [string, string]): Instruction {
  const location = { startLine: 0, endLine: 0 };
  return { kind: "label", pairs: [[name, value]], original: `LABEL ${name}=${value}`, location, literal: true };
}

function parseTag(text: string): Reference {
  const reference = parseReference(text);
  if (reference.digest !== undefined) throw invalidArgument("build tag cannot contain a digest");
  return withDefaultTag(reference);
}

async function orDispose<T>(context: BuildContext, work: () => T): Promise<T> {
  try {
    return work();
  } catch (error) {
    await context[Symbol.asyncDispose]();
    throw error;
  }
}
