/** The service `LLBBridge`: what a client builds step by step while its `Solve` waits. Source: moby/buildkit frontend/gateway. */

import { invalidArgument, notFound, notImplemented } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import type { Call, Method } from "../../buildkit-api/grpc/server.ts";
import { GrpcError, withoutCode } from "../../buildkit-api/grpc/status.ts";
import {
  type Definition,
  evaluateRequest,
  type GatewaySolveRequest,
  gatewaySolveRequest,
  gatewaySolveResponse,
  inputsResponse,
  nothing,
  pongResponse,
  type Ref,
  type Result,
  readFileRequest,
  readFileResponse,
  returnRequest,
  statFileRequest,
  statFileResponse,
} from "../../buildkit-api/protocol/messages.ts";
import { encodeImageConfig } from "../../oci/image-config.ts";
import { formatPlatform } from "../../oci/platform.ts";
import { withTree } from "../exporters/export.ts";
import { type Built, checkFrontend, type DockerfileFrontend } from "../frontend/frontend.ts";
import { graphSource, openGraph } from "../frontend/graph-source.ts";
import type { BuildkitDependencies } from "../parts.ts";
import type { LocalSources } from "../session/local-sources.ts";
import type { Sessions } from "../session/session.ts";
import { readInRoot, statInRoot } from "./read-file.ts";
import type { Results } from "./results.ts";
import type { RunningSolve, Solves } from "./solves.ts";
import { workerRecord } from "./workers.ts";

const service = "/moby.buildkit.v1.frontend.LLBBridge/";

/** Abilities by the names that clients know; none that is not served. Source: frontend/gateway/pb/caps.go, solver/pb/caps.go. */
const frontendCaps = [
  "solve.base",
  "solve.inlinereturn",
  "return",
  "returnmap",
  "proto.refarray",
  "readfile",
  "statfile",
  "frontend.inputs",
  "reference.output",
  "gateway.solve.metadata",
  "gateway.evaluate",
  "gateway.solve.evaluate",
];
const llbCaps = [
  "source.image",
  "source.local",
  "source.git",
  "source.git.fullurl",
  "source.git.keepgitdir",
  "source.git.httpauth",
  "source.git.checksum",
  "source.git.skipsubmodules",
  "source.http",
  "file.base",
  "constraints",
  "platform",
  "meta.description",
  "exporter.multiple",
  "exporter.image.attestations",
];

export interface GatewayScope {
  deps: BuildkitDependencies;
  frontend: DockerfileFrontend;
  sessions: Sessions;
  solves: Solves;
  results: Results;
  locals: LocalSources;
}

export function gatewayMethods(scope: GatewayScope): [string, Method][] {
  const enabled = (names: string[]) => names.map((ID) => ({ ID, Enabled: true }));
  const unary = (name: string, serve: (call: Call, message: Buffer) => Promise<Uint8Array>): [string, Method] => [
    `${service}${name}`,
    async (call) => call.messages.write(await serve(call, await call.messages.one())),
  ];
  return [
    unary("Ping", async () =>
      pongResponse.encode({
        FrontendAPICaps: enabled(frontendCaps),
        LLBCaps: enabled(llbCaps),
        Workers: [workerRecord(scope.deps)],
      }),
    ),
    unary("Solve", async (call, message) => {
      const solve = await solveOf(call, scope);
      const request = gatewaySolveRequest.decode(message);
      const signal = AbortSignal.any([call.signal, solve.signal]);
      try {
        return gatewaySolveResponse.encode({ result: await gatewaySolve(request, solve, scope, signal) });
      } catch (error) {
        throw withoutCode(error);
      }
    }),
    unary("Return", async (call, message) => {
      const solve = await solveOf(call, scope);
      const { result, error } = returnRequest.decode(message);
      if (error && error.code !== 0) {
        solve.returned.reject(new GrpcError(error.code, error.message, error.details));
      } else solve.returned.resolve(result ? builtOf(solve, result) : undefined);
      return nothing;
    }),
    unary("Inputs", async () => inputsResponse.encode({ Definitions: {} })),
    unary("Evaluate", async (call, message) => {
      lookerOf(await solveOf(call, scope), scope, evaluateRequest.decode(message).Ref);
      return nothing;
    }),
    unary("ReadFile", async (call, message) => {
      const { Ref, FilePath, Range } = readFileRequest.decode(message);
      const look = lookerOf(await solveOf(call, scope), scope, Ref);
      return readFileResponse.encode({ Data: await look((directory) => readInRoot(directory, FilePath, Range)) });
    }),
    unary("StatFile", async (call, message) => {
      const { Ref, Path } = statFileRequest.decode(message);
      const look = lookerOf(await solveOf(call, scope), scope, Ref);
      return statFileResponse.encode({ stat: await look((directory) => statInRoot(directory, Path)) });
    }),
  ];
}

async function gatewaySolve(
  request: GatewaySolveRequest,
  solve: RunningSolve,
  scope: GatewayScope,
  signal: AbortSignal,
): Promise<Result> {
  if (request.Definition && request.Definition.def.length > 0) {
    return { ref: await openTree(request.Definition, solve, scope, signal), metadata: {} };
  }
  checkFrontend(request.Frontend, request.FrontendOpt["source"]);
  await using stack = new AsyncDisposableStack();
  const { context, dockerfile, ...others } = request.FrontendInputs;
  const graph = context && graphSource(context);
  // A Dockerfile that is given so, too, lies in that context.
  const results = graph ? others : request.FrontendInputs;
  if (dockerfile && graph && !isSame(dockerfile, context)) {
    throw notImplemented("a Dockerfile from another source than its context is not supported");
  }
  const frontendRequest = {
    options: request.FrontendOpt,
    inputs: await scope.results.inputs(results, scope.deps.images, stack),
    graph,
    session: () => scope.sessions.get(solve.session),
    progress: solve.progress,
    entitlements: solve.entitlements,
    imports: request.CacheImports,
    signal,
  };
  const asked = request.FrontendOpt["requestid"];
  if (asked) return { metadata: await scope.frontend.answer(frontendRequest) };
  solve.record.Frontend ||= request.Frontend;
  if (Object.keys(solve.record.FrontendAttrs).length === 0) solve.record.FrontendAttrs = { ...request.FrontendOpt };
  const built = await scope.frontend.build(frontendRequest);
  const refs = built.results.map((result) => {
    const id = newId().slice(0, 25);
    solve.results.set(id, result);
    scope.results.remember(id, result);
    return { id, def: scope.results.definition(id) };
  });
  return toResult(built, refs);
}

/** The last operation names the one that counts by its digest. */
function isSame(one: Definition, other: Definition): boolean {
  return Buffer.compare(one.def.at(-1) ?? nothing, other.def.at(-1) ?? nothing) === 0;
}

/** The files of a graph, kept while the build lasts. */
async function openTree(
  definition: Definition,
  solve: RunningSolve,
  scope: GatewayScope,
  signal: AbortSignal,
): Promise<Ref> {
  const source = graphSource(definition);
  if (!source) throw notImplemented("builds of raw graphs (LLB) are not supported: only sources of files are");
  const session = () => scope.sessions.get(solve.session);
  const sources = { session, progress: solve.progress, stack: solve.owned };
  const { directory } = await openGraph(sources, source, scope.deps.builder.contextOptions("", signal), "files");
  const id = newId().slice(0, 25);
  solve.trees.set(id, directory);
  return { id, def: definition };
}

/** Calls with the directory of a result or of a source. */
function lookerOf(solve: RunningSolve, { deps }: GatewayScope, id: string) {
  const tree = solve.trees.get(id);
  const result = tree === undefined ? resultOf(solve, id) : undefined;
  return <T>(look: (directory: string | undefined) => T): Promise<T> =>
    result
      ? withTree(result, { deps }, async (directory) => look(directory))
      : Promise.resolve().then(() => look(tree));
}

/** Where several platforms were asked for, each result has the name of its own. */
function toResult({ results, several }: Built, refs: readonly Ref[]): Result {
  const platforms = results.map(({ platform }) => ({ ID: formatPlatform(platform), Platform: platform }));
  const named = { "refs.platforms": Buffer.from(JSON.stringify({ Platforms: platforms })) };
  const configs = results.map(({ config }) => encodeImageConfig(config));
  if (!several) return { ref: refs[0] ?? null, metadata: { ...named, "containerimage.config": configs[0] ?? nothing } };
  const ids = platforms.map(({ ID }) => ID);
  return {
    refs: { refs: Object.fromEntries(ids.map((id, at) => [id, refs[at] as Ref])) },
    metadata: {
      ...named,
      ...Object.fromEntries(ids.map((id, at) => [`containerimage.config/${id}`, configs[at] ?? nothing])),
    },
  };
}

function solveOf({ headers }: Call, { solves }: GatewayScope): Promise<RunningSolve> {
  const ref = headers.get("buildkit-controlapi-buildid");
  if (ref === undefined) throw invalidArgument("the call does not say which build it belongs to");
  return solves.get(ref);
}

function resultOf(solve: RunningSolve, id: string) {
  const result = solve.results.get(id);
  if (!result) throw notFound(`no such ref: ${id}`);
  return result;
}

/** Undefined: the client has nothing to export. */
function builtOf(solve: RunningSolve, { ref, refs }: Result): Built | undefined {
  const several = Object.values(refs?.refs ?? {});
  const ids = (several.length > 0 ? several : [ref]).flatMap((one) => one?.id || []);
  if (ids.length === 0) return undefined;
  for (const id of ids) resultOf(solve, id);
  // The map's order says nothing: they were asked for in the order in which they are known here.
  const results = [...solve.results].flatMap(([id, result]) => (ids.includes(id) ? [result] : []));
  return { results, several: several.length > 0 };
}
