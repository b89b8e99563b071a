/** The frontend `dockerfile.v0`: a Dockerfile and its context into a result. Source: moby/buildkit frontend/dockerfile/builder/build.go. */
import { errorMessage, invalidArgument, notFound, notImplemented } from "../../base/errors.ts";
import type { Bytes } from "../../base/streams.ts";
import type { SolveRequest } from "../../builder/build-request.ts";
import type { FaceSolve } from "../../builder/builder.ts";
import type { ReachedStep } from "../../builder/cache/cache-manifest.ts";
import { CacheImports } from "../../builder/cache/imports.ts";
import type { BuildContext } from "../../builder/context/context.ts";
import { LayerSteps } from "../../builder/layer-steps.ts";
import { baseImages, planStages } from "../../builder/solver.ts";
import type { StageState } from "../../builder/stage-build.ts";
import type { CacheOptionsEntry } from "../../buildkit-api/protocol/messages.ts";
import type { Dockerfile, Location } from "../../dockerfile/instructions.ts";
import { lintDockerfile } from "../../dockerfile/lint/lint.ts";
import { parseDockerfile, parseErrorLocation } from "../../dockerfile/parse.ts";
import { type Digest, isSha256 } from "../../oci/digest.ts";
import type { ImageConfig } from "../../oci/image-config.ts";
import { hostPlatform, type Platform, parsePlatform } from "../../oci/platform.ts";
import { parseReference } from "../../oci/reference.ts";
import { atEpoch, type Epoch } from "../epoch.ts";
import type { BuildkitDependencies } from "../parts.ts";
import type { Progress, VertexProgress } from "../progress.ts";
import type { LocalSources } from "../session/local-sources.ts";
import { credentialsOf, forwardAgent, secretOf } from "../session/services.ts";
import { NoSession, type OpenSession, type Sessions } from "../session/session.ts";
import { cacheSources, parseCacheImports } from "./cache-sources.ts";
import { checkCircles, checkNeeded } from "./check-stages.ts";
import { contextPaths } from "./context-files.ts";
import {
  type DockerfileText,
  loadDockerfile,
  loadIgnoreFile,
  localContext,
  openRemote,
  type SourceScope,
} from "./dockerfile-source.ts";
import { inBuildkitWords } from "./failures.ts";
import { imageConfigOf } from "./image-config.ts";
import { namedContexts } from "./named-contexts.ts";
import { type FrontendOptions, parseOptions } from "./options.ts";
import { atSource, type DockerfileSource, rangeOf, sourceInfo } from "./source-error.ts";
import { answerRequest } from "./subrequests.ts";
import { VertexReport, wholeName } from "./vertex-report.ts";

export interface FrontendRequest {
  options: Readonly<Record<string, string>>;
  /** Results of other builds, by name: images. */
  inputs: ReadonlyMap<string, Digest>;
  session: OpenSession;
  progress: Progress;
  entitlements: readonly string[];
  /** Caches elsewhere, besides those that the options name. */
  imports: readonly CacheOptionsEntry[];
  signal: AbortSignal;
  /** The context of a client that sends it beside its session. */
  uploaded?: Uploaded | undefined;
}

export type Uploaded = () => Promise<Bytes>;

export interface BuiltResult {
  /** Its layers; undefined: it has none. */
  tree: Digest | undefined;
  config: ImageConfig;
  /** So many of the layers, from the base, are not of this build. */
  baseLayers: number;
  /** Of SOURCE_DATE_EPOCH. */
  epoch: Epoch;
  /** What the build came to, in all its stages. */
  steps: readonly ReachedStep[];
}

export class DockerfileFrontend {
  private readonly deps: BuildkitDependencies;
  private readonly sessions: Sessions;
  private readonly locals: LocalSources;

  constructor(deps: BuildkitDependencies, sessions: Sessions, locals: LocalSources) {
    this.deps = deps;
    this.sessions = sessions;
    this.locals = locals;
  }

  /** Rejects with a GrpcError that points at the line, where there is one. */
  async build(request: FrontendRequest): Promise<BuiltResult> {
    const options = parseOptions(request.options);
    checkNetwork(options, request.entitlements);
    await using stack = new AsyncDisposableStack();
    const scope = this.sourceScope(request, options, stack);
    const { remote, file, source } = await load(scope, options);
    const { dockerfile, warnings } = check(source, options);
    checkFrontend("gateway.v0", dockerfile.directives.syntax);
    warnings(file.vertex);
    return await this.buildParsed({ request, options, scope, remote, file, source, dockerfile });
  }

  /** A question about the Dockerfile, instead of a build. */
  async answer(request: FrontendRequest): Promise<Record<string, Uint8Array>> {
    const options = parseOptions(request.options);
    await using stack = new AsyncDisposableStack();
    const { source } = await load(this.sourceScope(request, options, stack), options);
    return answerRequest(source, options);
  }

  private sourceScope(
    { session, progress, signal, uploaded }: FrontendRequest,
    { sessions }: FrontendOptions,
    stack: AsyncDisposableStack,
  ): SourceScope {
    const contextOptions = (dockerfile: string) => this.deps.builder.contextOptions(dockerfile, signal);
    const sessionOf = async (source: string) => {
      const other = sessions.get(source);
      try {
        return other === undefined ? await session() : await this.sessions.get(other);
      } catch (error) {
        if (!(error instanceof NoSession)) throw error;
        throw notFound("failed to load cache key: could not access local files without session", { cause: error });
      }
    };
    return { session, sessionOf, locals: this.locals, progress, contextOptions, signal, stack, uploaded };
  }

  private async buildParsed(build: {
    request: FrontendRequest;
    options: FrontendOptions;
    scope: SourceScope;
    remote: BuildContext | undefined;
    file: DockerfileText;
    source: DockerfileSource;
    dockerfile: Dockerfile;
  }): Promise<BuiltResult> {
    const { request, options, scope, remote, file, dockerfile } = build;
    const platform = options.platform ? parsePlatform(options.platform) : hostPlatform();
    const solveRequest = this.solveRequest(request, options);
    const named = namedContexts(scope, options, request.inputs);
    const report = new VertexReport(request.progress, named);
    const entries = [...request.imports, ...parseCacheImports(options.cacheImports)];
    const sources = cacheSources(entries, { ...request, deps: this.deps });
    const steps = new LayerSteps(
      this.deps.images,
      sources.length > 0 ? new CacheImports(this.deps.images, sources) : undefined,
    );
    let location: Location | undefined;
    try {
      const failing = (at: Location) => {
        location = at;
      };
      const { stages } = dockerfile;
      checkCircles(stages, failing);
      const images = await this.loadMetadata(
        { dockerfile, request: solveRequest, platform, named, progress: request.progress },
        failing,
      );
      location = undefined;
      const ignore = remote ? [] : (file.ignore ?? (await loadIgnoreFile(scope, "context")));
      checkNeeded(stages, planStages({ dockerfile, request: solveRequest, platform }).needed, failing);
      const follow = images.some((image) => this.hasTriggers(image)) ? [] : contextPaths(dockerfile);
      const source = async () => ({ name: "context", keep: true, exclude: ignore, follow });
      const local = localContext(scope, source, "[internal] load build context");
      const solve: FaceSolve = {
        request: solveRequest,
        context: remote ? async () => remote : local,
        steps,
        dockerfile,
        platform,
        report,
        named,
      };
      const { state } = await this.deps.builder.solve(solve);
      return this.result(state, platform, options, steps.reached);
    } catch (error) {
      throw atSource(inBuildkitWords(error), build.source, report.failedAt ?? location);
    }
  }

  private result(
    state: StageState,
    platform: Platform,
    options: FrontendOptions,
    steps: readonly ReachedStep[],
  ): BuiltResult {
    const layers = (state.image && this.deps.images.find(state.image)?.layers) || [];
    const config = atEpoch(imageConfigOf(state, { layers, platform }), options.epoch);
    return { tree: state.image, config, baseLayers: state.baseLayers, epoch: options.epoch, steps };
  }

  private solveRequest({ session, signal }: FrontendRequest, options: FrontendOptions): SolveRequest {
    return {
      args: options.args,
      labels: options.labels,
      target: options.target,
      platform: options.platform,
      noCache: options.noCache,
      pull: options.pull,
      remove: true,
      forceRemove: true,
      host: options.host,
      hostname: "buildkitsandbox",
      login: (domain) => credentialsOf(session, domain, signal),
      client: {
        secret: async (id) => secretOf(await session(), id, signal),
        agent: async (id, socket) => forwardAgent(await session(), id, socket),
      },
      signal,
    };
  }

  /** Looks for the images that stages begin with. Returns those that are here. */
  private async loadMetadata(
    build: Pick<FaceSolve, "dockerfile" | "request" | "platform" | "named"> & { progress: Progress },
    failing: (location: Location) => void,
  ): Promise<Digest[]> {
    const found: Digest[] = [];
    const seen = new Set<string>();
    const { named, request, progress } = build;
    for (const { name: given, stage } of baseImages(build)) {
      const name = named?.image(given) ?? given;
      if (seen.has(name)) continue;
      seen.add(name);
      // A result of another build.
      if (isSha256(name)) continue;
      failing(stage.location);
      const label =
        name === given
          ? `[internal] load metadata for ${wholeName(name)}`
          : `[context ${given}] load metadata for ${name}`;
      const vertex = progress.vertex(label);
      try {
        await vertex.around(async () => {
          const here = this.localImage(name, stage.platform ?? request.platform);
          if (here && !request.pull) found.push(here);
          else await this.inspectRemote(name, request);
        });
      } catch (error) {
        const problem = `failed to resolve source metadata for ${wholeName(name)}: ${errorMessage(error)}`;
        throw invalidArgument(`${name}: ${problem}`, { cause: error });
      }
    }
    return found;
  }

  private localImage(name: string, platform: string | undefined): Digest | undefined {
    try {
      return this.deps.images.resolve(name, platform).id;
    } catch {
      return undefined;
    }
  }

  private async inspectRemote(name: string, { login, signal }: SolveRequest): Promise<void> {
    await this.deps.inspectRemote(name, await login(parseReference(name).domain), signal);
  }

  private hasTriggers(image: Digest): boolean {
    const record = this.deps.images.find(image);
    return record !== undefined && (this.deps.images.imageConfig(record).config?.OnBuild?.length ?? 0) > 0;
  }
}

/** The Dockerfile lies in the remote context unless the client has it. */
async function load(
  scope: SourceScope,
  options: FrontendOptions,
): Promise<{ remote: BuildContext | undefined; file: DockerfileText; source: DockerfileSource }> {
  const remote = options.remote === undefined ? undefined : await openRemote(scope, options.remote, options);
  const file = await loadDockerfile(scope, options, options.dockerfileSource === undefined ? remote : undefined);
  return { remote, file, source: { filename: options.filename, text: file.text } };
}

function checkNetwork({ host }: FrontendOptions, entitlements: readonly string[]): void {
  if (host.NetworkMode === "host" && !entitlements.includes("network.host")) {
    throw invalidArgument("network.host is not allowed");
  }
}

/**
 * Throws for every frontend but this one. `gateway.v0` stands for a program in an image, as `# syntax=` does: Docker's own is what this
 * frontend is.
 */
export function checkFrontend(name: string, image: string | undefined): void {
  if (name === "dockerfile.v0") return;
  if (name !== "gateway.v0") throw notImplemented(`frontend ${name} is not supported: only dockerfile.v0 is`);
  const [wanted = ""] = (image ?? "").trim().split(/\s/);
  if (wanted === "" || /^(docker\.io\/)?docker\/dockerfile(-upstream)?(?=[:@]|$)/.test(wanted)) return;
  throw notImplemented(`the frontend ${wanted} is not supported: only docker/dockerfile is`);
}

/** Throws the error of a Dockerfile that cannot be built, with its line. */
function check(
  source: DockerfileSource,
  options: FrontendOptions,
): { dockerfile: Dockerfile; warnings: (vertex: VertexProgress) => void } {
  let dockerfile: Dockerfile;
  try {
    dockerfile = parseDockerfile(source.text);
  } catch (error) {
    throw atSource(error, source, parseErrorLocation(error));
  }
  const { warnings } = lintDockerfile(dockerfile, {
    args: options.args,
    ...(options.target ? { target: options.target } : {}),
  });
  return {
    dockerfile,
    warnings: (vertex) => {
      const inOrder = warnings.toSorted((a, b) => a.location.startLine - b.location.startLine);
      for (const { rule, message, description, url, location } of inOrder) {
        vertex.warn({
          short: Buffer.from(`${rule}: ${message} (line ${location.startLine})`),
          detail: [Buffer.from(description)],
          url,
          info: sourceInfo(source),
          ranges: [rangeOf(location)],
        });
      }
    },
  };
}
