/** The builder's classic face: Dockerfile and context in, image out. Source: Docker Engine API, "Build an image". */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ProgressMessage } from "../api/system.ts";
import { JobWorkers } from "../archive/processes/job-workers.ts";
import { errorMessage, internal, invalidArgument } from "../base/errors.ts";
import { newId, shortId } from "../base/ids.ts";
import type { Logger } from "../base/log.ts";
import type { Dockerfile } from "../dockerfile/instructions.ts";
import { parseDockerfile } from "../dockerfile/parse.ts";
import { unmountBelow } from "../linux/mounts/mount.ts";
import type { Database } from "../metadata/database.ts";
import type { Digest } from "../oci/digest.ts";
import { hostPlatform, parsePlatform } from "../oci/platform.ts";
import { familiarName, familiarString, parseReference, type Reference, withDefaultTag } from "../oci/reference.ts";
import type { Credentials } from "../remote/auth.ts";
import type { BuildRequest } from "./build-request.ts";
import { type CacheParts, type CacheRecord, cacheItems } from "./cache/items.ts";
import { KeptDirectories } from "./cache/kept-directories.ts";
import { type CachePruneRequest, type CachePruneResult, pruneCache } from "./cache/prune.ts";
import { StepCache } from "./cache/step-cache.ts";
import { ClassicReport } from "./classic-report.ts";
import { type BuildContext, type ContextOptions, receiveContext } from "./context/context.ts";
import { remoteContext } from "./context/remote-context.ts";
import { ImageSources, type NamedContexts, type UsedImage } from "./image-sources.ts";
import { ImageSteps } from "./image-steps.ts";
import type { BuilderContainers, BuilderImages, BuilderLayers, BuilderNetworks, BuilderSnapshots } from "./parts.ts";
import { type Solve, type Solved, solve } from "./solver.ts";
import type { StageState } from "./stage-build.ts";
import { StepNetworks } from "./steps/step-networks.ts";

export interface BuilderDependencies {
  images: BuilderImages;
  containers: BuilderContainers;
  networks: BuilderNetworks;
  snapshots: BuilderSnapshots;
  layers: BuilderLayers;
  database: Database;
  /**
   * On the disk of the layers, and this object's alone: `kept`, what builds leave for later ones, `history`, and `work`, where everything lies that
   * lasts no longer than a build.
   */
  directory: string;
  /** Takes a directory of the same disk away at once, and deletes it later. */
  discard(directory: string): void;
  /** What goes of the cache once no build runs, in this order. */
  gc: readonly CachePruneRequest[];
  log: Logger;
  /** On a file system in memory, and this object's alone: what must never come to a disk. */
  secrets: string;
}

/** What a face brings to a build; the rest is the builder's. */
export type FaceSolve = Pick<Solve, "request" | "context" | "steps" | "dockerfile" | "platform" | "report"> & {
  /** Names that stand for something else than an image: contexts that the client names. */
  named?: NamedContexts | undefined;
};

/** After a build, before its cache is looked at: the image gets its name meanwhile. */
const gcPauseMillis = 1000;

export class Builder {
  private readonly deps: BuilderDependencies;
  private readonly cache: StepCache;
  /** Directory for files that last no longer than a build. */
  readonly work: string;
  /** For the history of builds, which a face keeps. */
  readonly historyDirectory: string;
  /** Cache mounts, and what clients have sent. */
  readonly kept: KeptDirectories;
  private builds = 0;
  private readonly workers = new JobWorkers("__build");

  constructor(deps: BuilderDependencies) {
    this.deps = deps;
    this.cache = new StepCache(deps.database, (image) => deps.images.find(image) !== undefined);
    this.work = join(deps.directory, "work");
    this.historyDirectory = join(deps.directory, "history");
    this.kept = new KeptDirectories({
      ...deps,
      parent: join(deps.directory, "kept"),
      measure: async (upper) => (await this.workers.run({ verb: "usage", upper, layers: [] })) as number,
    });
  }

  /** Removes what builds of an earlier daemon left. Call once, before the first build. */
  reconcile(): void {
    mkdirSync(this.work, { recursive: true, mode: 0o700 });
    unmountBelow(this.work);
    this.deps.discard(this.work);
    rmSync(this.deps.secrets, { recursive: true, force: true });
    this.kept.reconcile();
  }

  /** Resolves with the image's id. What is wrong with the request is refused before anything is said. */
  async build(request: BuildRequest, say: (message: ProgressMessage) => void): Promise<Digest> {
    const tags = request.tags.map(parseTag);
    const platform = request.platform ? parsePlatform(request.platform) : hostPlatform();
    const report = new ClassicReport(say);
    this.workers.warm();
    mkdirSync(this.work, { recursive: true, mode: 0o700 });
    const { context, text } = await this.openContext(request, report);
    await using _context = context;
    // The parser does not know the name.
    if (text === "") throw invalidArgument(`the Dockerfile (${request.dockerfile}) cannot be empty`);
    const dockerfile = parseDockerfile(text);
    warnOfEmptyContinuations(dockerfile, report);
    const { state, unusedArgs } = await this.solve({
      request: { ...request, login: async (domain) => loginFor(domain, request.logins) },
      context: async () => context,
      steps: new ImageSteps(this.deps.images, platform, request.cacheFrom),
      dockerfile,
      platform,
      report,
    });
    if (state.image === undefined) throw internal("No image was generated. Is your Dockerfile empty?");
    if (unusedArgs.length > 0) {
      report.text(`[Warning] One or more build-args [${unusedArgs.join(" ")}] were not consumed\n`);
    }
    const image = request.squash ? await this.squash(state, request.signal) : state.image;
    if (request.squash) say({ id: "moby.image.id", aux: { ID: image } });
    report.text(`Successfully built ${shortId(image)}\n`);
    for (const reference of tags) {
      await this.deps.images.tag(image, familiarName(reference), reference.tag ?? "");
      report.text(`Successfully tagged ${familiarString(reference)}\n`);
    }
    return image;
  }

  /** What the stage has other than its base, as one layer over it. */
  private async squash({ image, base }: Pick<StageState, "image" | "base">, signal: AbortSignal): Promise<Digest> {
    const { images, snapshots } = this.deps;
    if (image === undefined) throw internal("error squashing image: there is none");
    const layers = (base && images.find(base)?.layers) || [];
    if (images.find(image)?.layers.length === layers.length) return image;
    using _held = images.hold();
    const key = `build-${newId()}`;
    snapshots.prepare(key, images.find(image)?.layers ?? [], { plain: true });
    try {
      const { diffId } = await snapshots.difference(snapshots.mount(key), layers, { signal });
      return await images.squash({ image, base, layer: diffId as Digest });
    } finally {
      await snapshots.remove(key);
    }
  }

  /** Builds what a face has parsed. */
  async solve(build: FaceSolve): Promise<Solved & { images: UsedImage[] }> {
    const { images, snapshots } = this.deps;
    mkdirSync(this.work, { recursive: true, mode: 0o700 });
    await using sources = new ImageSources(images, snapshots, build.request, build.named);
    await using networks = new StepNetworks(this.deps.networks);
    using _flushed = { [Symbol.dispose]: () => this.cache.flush() };
    using _running = this.running();
    const solved = await solve({
      ...this.deps,
      ...build,
      sources,
      networks,
      workers: this.workers,
      cache: this.cache,
      work: this.work,
      kept: this.kept,
    });
    return { ...solved, images: sources.used() };
  }

  /** While it is held, nothing is collected: the image of a build's last step has no other owner. */
  private running(): Disposable {
    this.builds++;
    return {
      [Symbol.dispose]: () => {
        this.builds--;
        if (this.deps.gc.length > 0) setTimeout(() => void this.collect(), gcPauseMillis).unref();
      },
    };
  }

  private async collect(): Promise<void> {
    try {
      for (const request of this.deps.gc) if (this.builds === 0) await this.prune(request);
    } catch (error) {
      this.deps.log.warn("cannot collect the build cache", { error: errorMessage(error) });
    }
  }

  /** Ends the processes that wait for jobs, and takes away what builds have not. Call when none is to go on. */
  async close(): Promise<void> {
    await this.kept.settled();
    await this.workers[Symbol.asyncDispose]();
    this.reconcile();
  }

  /** For `system df`. */
  cacheRecords(): CacheRecord[] {
    return cacheItems(this.cacheParts()).map(({ record }) => record);
  }

  prune(request: CachePruneRequest): Promise<CachePruneResult> {
    return pruneCache(this.cacheParts(), request);
  }

  private cacheParts(): CacheParts {
    return { steps: this.cache, directories: this.kept, images: this.deps.images };
  }

  /** For contexts of builds. `dockerfile`: its path in the context. */
  contextOptions(dockerfile: string, signal: AbortSignal): ContextOptions {
    // The context may be the first thing that this daemon builds with.
    mkdirSync(this.work, { recursive: true, mode: 0o700 });
    return { parent: this.work, dockerfile, signal, workers: this.workers, discard: this.deps.discard };
  }

  private async openContext(
    request: BuildRequest,
    report: ClassicReport,
  ): Promise<{ context: BuildContext; text: string }> {
    const { dockerfile, signal } = request;
    const options = this.contextOptions(dockerfile, signal);
    if (request.remote === "") {
      if (!request.context) throw invalidArgument("the build has no context");
      const context = await receiveContext(request.context, options);
      return { context, text: await orDispose(context, () => context.dockerfile()) };
    }
    const progress = (line: string) => report.text(line);
    const found = await remoteContext(request.remote, { ...options, progress });
    const { context } = found;
    if (found.dockerfile !== undefined) return { context, text: found.dockerfile };
    return { context, text: await orDispose(context, () => context.dockerfile()) };
  }
}

/** As dockerd, before the first step. */
function warnOfEmptyContinuations({ warnings, lines }: Dockerfile, report: ClassicReport): void {
  const places = warnings.map(({ location }) => location.endLine);
  const found = lines.filter(({ location: { startLine, endLine } }) =>
    places.some((place) => startLine <= place && place <= endLine),
  );
  if (found.length === 0) return;
  const shown = found.map(({ original }) => `[WARNING]: Empty continuation line found in: ${original}\n`);
  report.error(`${shown.join("")}[WARNING]: Empty continuation lines will become errors in a future release.\n`);
}

function parseTag(text: string): Reference {
  const reference = parseReference(text);
  if (reference.digest !== undefined) throw invalidArgument("build tag cannot contain a digest");
  return withDefaultTag(reference);
}

/** The client sends all the logins that it has. */
function loginFor(domain: string, logins: Record<string, Credentials>): Credentials {
  if (domain === "docker.io") return logins["https://index.docker.io/v1/"] ?? logins["docker.io"] ?? {};
  return logins[domain] ?? logins[`https://${domain}`] ?? {};
}

async function orDispose<T>(context: BuildContext, work: () => T): Promise<T> {
  try {
    return work();
  } catch (error) {
    await context[Symbol.asyncDispose]();
    throw error;
  }
}
