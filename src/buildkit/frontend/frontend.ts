/** The frontend `dockerfile.v0`: a Dockerfile and its context into a result. Source: moby/buildkit frontend/dockerfile/builder/build.go. */
import { allOrFirst } from "../../base/all-or-first.ts";
import { invalidArgument, notFound, notImplemented } from "../../base/errors.ts";
import type { Bytes } from "../../base/streams.ts";
import { CacheImports } from "../../builder/cache/imports.ts";
import type { BuildContext } from "../../builder/context/context.ts";
import type { CacheOptionsEntry } from "../../buildkit-api/protocol/messages.ts";
import type { Dockerfile } from "../../dockerfile/instructions.ts";
import { lintDockerfile } from "../../dockerfile/lint/lint.ts";
import { parseDockerfile, parseErrorLocation } from "../../dockerfile/parse.ts";
import type { Digest } from "../../oci/digest.ts";
import { hostPlatform } from "../../oci/platform.ts";
import type { BuildkitDependencies } from "../parts.ts";
import type { Progress, VertexProgress } from "../progress.ts";
import type { LocalSources } from "../session/local-sources.ts";
import { NoSession, type OpenSession, type Sessions } from "../session/session.ts";
import { cacheSources, parseCacheImports } from "./cache-sources.ts";
import { contextPaths } from "./context-files.ts";
import {
  type DockerfileText,
  loadDockerfile,
  loadIgnoreFile,
  localContext,
  openRemote,
  type SourceScope,
} from "./dockerfile-source.ts";
import { type GraphSource, openGraph } from "./graph-source.ts";
import { type FrontendOptions, parseOptions } from "./options.ts";
import { type BuiltResult, PlatformBuild, type PlatformBuildScope } from "./platform-build.ts";
import { atSource, type DockerfileSource, rangeOf, sourceInfo } from "./source-error.ts";
import { answerRequest } from "./subrequests.ts";

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
  /** The context, where the client gives it as a graph. */
  graph?: GraphSource | undefined;
}

export type Uploaded = () => Promise<Bytes>;

/** What a build leads to: one result, or one for each platform that was asked for. */
export interface Built {
  results: readonly BuiltResult[];
  /** The client asked for several platforms: outputs tell results apart, even a single one. */
  several: boolean;
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
  async build(request: FrontendRequest): Promise<Built> {
    const options = parseOptions(request.options);
    checkNetwork(options, request.entitlements);
    await using stack = new AsyncDisposableStack();
    const sources = this.sourceScope(request, options, stack);
    const { remote, file, source } = await load(sources, options, request.graph);
    const { dockerfile, warnings } = check(source, options);
    checkFrontend("gateway.v0", dockerfile.directives.syntax);
    warnings(file.vertex);
    const several = options.multiPlatform || options.platforms.length > 1;
    const own = { request, options, sources, source, dockerfile, several, directories: new Map() };
    const scope: PlatformBuildScope = { ...this.imports(request, options), ...own };
    const platforms = options.platforms.length > 0 ? options.platforms : [hostPlatform()];
    const builds = platforms.map((platform) => new PlatformBuild(scope, platform));
    const { signal } = request;
    const triggers = await allOrFirst(
      builds.map((build) => (own) => build.prepare(own)),
      signal,
    );
    const ignore = remote ? [] : (file.ignore ?? (await loadIgnoreFile(sources, "context")));
    const follow = triggers.includes(true) ? [] : contextPaths(dockerfile);
    const wanted = async () => ({ name: "context", keep: true, exclude: ignore, follow });
    const context = remote ? async () => remote : localContext(sources, wanted, "[internal] load build context");
    const results = await allOrFirst(
      builds.map((build) => (own) => build.run(context, own)),
      signal,
    );
    return { results, several };
  }

  private imports(request: FrontendRequest, options: FrontendOptions) {
    const { deps } = this;
    const entries = [...request.imports, ...parseCacheImports(options.cacheImports)];
    const caches = cacheSources(entries, { ...request, deps });
    return { deps, imports: caches.length > 0 ? new CacheImports(deps.images, caches) : undefined };
  }

  /** A question about the Dockerfile, instead of a build. */
  async answer(request: FrontendRequest): Promise<Record<string, Uint8Array>> {
    const options = parseOptions(request.options);
    await using stack = new AsyncDisposableStack();
    const { source } = await load(this.sourceScope(request, options, stack), options, request.graph);
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
}

/** The Dockerfile lies in the remote context unless the client has it. */
async function load(
  scope: SourceScope,
  options: FrontendOptions,
  graph: GraphSource | undefined,
): Promise<{ remote: BuildContext | undefined; file: DockerfileText; source: DockerfileSource }> {
  const remote = graph
    ? await openGraph(scope, graph, scope.contextOptions(options.filename), "context")
    : options.remote === undefined
      ? undefined
      : await openRemote(scope, options.remote, options);
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
