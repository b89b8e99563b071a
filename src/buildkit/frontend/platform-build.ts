/** A Dockerfile built for one platform. */
import { errorMessage, invalidArgument } from "../../base/errors.ts";
import type { SolveRequest } from "../../builder/build-request.ts";
import type { ReachedStep } from "../../builder/cache/cache-manifest.ts";
import type { CacheImports } from "../../builder/cache/imports.ts";
import type { BuildContext } from "../../builder/context/context.ts";
import type { NamedContexts } from "../../builder/image-sources.ts";
import { LayerSteps } from "../../builder/layer-steps.ts";
import { baseImages, planStages } from "../../builder/solver.ts";
import type { StageState } from "../../builder/stage-build.ts";
import type { Dockerfile, Location } from "../../dockerfile/instructions.ts";
import { type Digest, isSha256 } from "../../oci/digest.ts";
import type { ImageConfig } from "../../oci/image-config.ts";
import { formatPlatform, type Platform } from "../../oci/platform.ts";
import { parseReference } from "../../oci/reference.ts";
import { atEpoch, type Epoch } from "../epoch.ts";
import type { BuildkitDependencies } from "../parts.ts";
import type { ProvenanceOptions } from "../provenance/options.ts";
import { originOf } from "../provenance/origin.ts";
import type { BuildOrigin } from "../provenance/predicate.ts";
import { credentialsOf, forwardAgent, secretOf } from "../session/services.ts";
import { checkCircles, checkNeeded } from "./check-stages.ts";
import type { SourceScope } from "./dockerfile-source.ts";
import { inBuildkitWords } from "./failures.ts";
import type { FrontendRequest } from "./frontend.ts";
import { imageConfigOf } from "./image-config.ts";
import { type ContextDirectories, namedContexts } from "./named-contexts.ts";
import { loadLayouts } from "./oci-layouts.ts";
import type { FrontendOptions } from "./options.ts";
import { atSource, type DockerfileSource } from "./source-error.ts";
import { VertexReport, wholeName } from "./vertex-report.ts";

export interface BuiltResult {
  platform: Platform;
  /** Its layers; undefined: it has none. */
  tree: Digest | undefined;
  config: ImageConfig;
  /** So many of the layers, from the base, are not of this build. */
  baseLayers: number;
  /** Of SOURCE_DATE_EPOCH. */
  epoch: Epoch;
  /** What the build came to, in all its stages. */
  steps: readonly ReachedStep[];
  origin: BuildOrigin;
  /** What outputs are to carry of it. */
  provenance: ProvenanceOptions | undefined;
}

/** What the builds for all platforms share. */
export interface PlatformBuildScope {
  deps: BuildkitDependencies;
  request: FrontendRequest;
  options: FrontendOptions;
  sources: SourceScope;
  source: DockerfileSource;
  dockerfile: Dockerfile;
  imports: CacheImports | undefined;
  directories: ContextDirectories;
  /** Steps are named with their platforms. */
  several: boolean;
}

export class PlatformBuild {
  private readonly scope: PlatformBuildScope;
  private readonly platform: Platform;
  private readonly request: SolveRequest;
  private readonly named: NamedContexts | undefined;
  private readonly report: VertexReport;
  private layouts: ReadonlyMap<string, Digest> = new Map();
  /** Of what is being done outside of steps. */
  private location: Location | undefined;

  constructor(scope: PlatformBuildScope, platform: Platform) {
    const { options, request, sources, several, directories } = scope;
    this.scope = scope;
    this.platform = platform;
    this.request = solveRequest(request, options, platform);
    const layouts = { get: (target: string) => this.layouts.get(target) };
    this.named = namedContexts(sources, options, request.inputs, { platform, layouts, directories });
    this.report = new VertexReport(request.progress, { named: this.named, platform: several ? platform : undefined });
  }

  /** Looks for the images that stages begin with. True when one that is here has triggers, which may want any file. */
  prepare(signal: AbortSignal): Promise<boolean> {
    return this.pointing(async () => {
      checkCircles(this.scope.dockerfile.stages, (at) => this.at(at));
      const { deps, options, sources } = this.scope;
      this.layouts = await loadLayouts(options.contexts, sources, { deps, platform: this.platform, signal });
      const images = await this.loadMetadata(signal);
      this.at(undefined);
      return images.some((image) => this.hasTriggers(image));
    });
  }

  run(context: () => Promise<BuildContext>, signal: AbortSignal): Promise<BuiltResult> {
    const { scope, platform, named, report } = this;
    const { deps, dockerfile } = scope;
    return this.pointing(async () => {
      const request = { ...this.request, signal };
      const { needed } = planStages({ dockerfile, request, platform });
      checkNeeded(dockerfile.stages, needed, (at) => this.at(at));
      const steps = new LayerSteps(deps.images, scope.imports);
      const solved = await deps.builder.solve({ request, context, steps, dockerfile, platform, report, named });
      return this.result(solved.state, steps.reached, originOf(scope, { images: solved.images, needed, platform }));
    });
  }

  private at(location: Location | undefined): void {
    this.location = location;
  }

  /** What goes wrong points at its line. */
  private async pointing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw atSource(inBuildkitWords(error), this.scope.source, this.report.failedAt ?? this.location);
    }
  }

  private result(state: StageState, steps: readonly ReachedStep[], origin: BuildOrigin): BuiltResult {
    const { deps, options } = this.scope;
    const { platform, image: tree, baseLayers } = state;
    const layers = (tree && deps.images.find(tree)?.layers) || [];
    const config = atEpoch(imageConfigOf(state, { layers, platform }), options.epoch);
    const { epoch, provenance } = options;
    return { platform, tree, config, baseLayers, epoch, steps, origin, provenance };
  }

  private async loadMetadata(signal: AbortSignal): Promise<Digest[]> {
    const { named, request, platform, scope } = this;
    const found: Digest[] = [];
    const seen = new Set<string>();
    for (const { name: given, stage } of baseImages({ dockerfile: scope.dockerfile, request, platform })) {
      const name = named?.image(given) ?? given;
      // A digest alone is a result of another build.
      if (seen.has(name) || isSha256(name)) continue;
      seen.add(name);
      this.at(stage.location);
      const label =
        name === given
          ? `[internal] load metadata for ${wholeName(name)}`
          : `[context ${given}] load metadata for ${name}`;
      try {
        await scope.request.progress.vertex(label).around(async () => {
          const here = this.localImage(name, stage.platform ?? request.platform);
          if (here && !request.pull) found.push(here);
          else await scope.deps.inspectRemote(name, await request.login(parseReference(name).domain), signal);
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
      return this.scope.deps.images.resolve(name, platform).id;
    } catch {
      return undefined;
    }
  }

  private hasTriggers(image: Digest): boolean {
    const { images } = this.scope.deps;
    const record = images.find(image);
    return record !== undefined && (images.imageConfig(record).config?.OnBuild?.length ?? 0) > 0;
  }
}

function solveRequest(
  { session, signal }: FrontendRequest,
  options: FrontendOptions,
  platform: Platform,
): SolveRequest {
  return {
    args: options.args,
    labels: options.labels,
    target: options.target,
    platform: options.platforms.length > 0 ? formatPlatform(platform) : undefined,
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
