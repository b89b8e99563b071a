/** The service `Control`. Source: moby/buildkit api/services/control/control.proto, control/control.go. */
import { notImplemented } from "../../base/errors.ts";
import type { Call, Method, Methods } from "../../buildkit-api/grpc/server.ts";
import {
  type ControlSolveRequest,
  controlSolveRequest,
  controlSolveResponse,
  diskUsageRequest,
  diskUsageResponse,
  type Exporter,
  healthRequest,
  healthResponse,
  infoResponse,
  listWorkersResponse,
  pruneRequest,
  statusRequest,
  statusResponse,
  usageRecord,
} from "../../buildkit-api/protocol/messages.ts";
import { checkCacheExport, exportCache, withInlineCache } from "../exporters/cache.ts";
import { checkExporter, exportResult } from "../exporters/export.ts";
import { type Built, checkFrontend, type FrontendRequest, type Uploaded } from "../frontend/frontend.ts";
import type { BuildHistory } from "../history/history.ts";
import { endedBuild, newRecord } from "../history/record.ts";
import { tunnel } from "../session/tunnel.ts";
import { diskUsage, prune } from "./cache.ts";
import { type GatewayScope, gatewayMethods } from "./gateway.ts";
import { historyMethods } from "./history-methods.ts";
import { RunningSolve } from "./solves.ts";
import { buildkitVersion, workerRecord } from "./workers.ts";

const service = "/moby.buildkit.v1.Control/";

/** grpc.health.v1 */
const serving = 1;

/** Everything that is served on `/grpc`. */
export function controlMethods(scope: GatewayScope): Methods {
  const { deps } = scope;
  const methods: [string, Method][] = [
    [
      `${service}Solve`,
      async (call) => {
        const request = controlSolveRequest.decode(await call.messages.one());
        await call.messages.write(controlSolveResponse.encode({ ExporterResponse: await solve(request, call, scope) }));
      },
    ],
    [`${service}Status`, (call) => status(call, scope)],
    [`${service}Session`, (call) => scope.sessions.serve(call.headers, tunnel(call))],
    [
      `${service}Info`,
      async ({ messages }) => messages.write(infoResponse.encode({ buildkitVersion: buildkitVersion(deps) })),
    ],
    [
      `${service}ListWorkers`,
      async ({ messages }) => messages.write(listWorkersResponse.encode({ record: [workerRecord(deps)] })),
    ],
    [
      `${service}DiskUsage`,
      async ({ messages }) => {
        const { filter } = diskUsageRequest.decode(await messages.one());
        await messages.write(diskUsageResponse.encode({ record: diskUsage(scope, filter) }));
      },
    ],
    [
      `${service}Prune`,
      async ({ messages }) => {
        const request = pruneRequest.decode(await messages.one());
        for (const record of await prune(scope, request)) await messages.write(usageRecord.encode(record));
      },
    ],
    [
      "/grpc.health.v1.Health/Check",
      async ({ messages }) => {
        healthRequest.decode(await messages.one());
        await messages.write(healthResponse.encode({ status: serving }));
      },
    ],
    ...historyMethods(deps.history),
    ...gatewayMethods(scope),
  ];
  return new Map(methods);
}

async function status({ messages, signal }: Call, { solves, deps }: GatewayScope): Promise<void> {
  const { Ref } = statusRequest.decode(await messages.one());
  const ended = deps.history.log(Ref);
  for (const message of ended ?? []) await messages.write(statusResponse.encode(message));
  if (ended) return;
  const { progress } = await solves.get(Ref);
  for await (const message of progress.follow(signal)) await messages.write(statusResponse.encode(message));
}

/**
 * Resolves with what the exporters have to say: digests and names. `uploaded`: the context that the request's body had, of `POST /build`.
 */
export async function solve(
  request: ControlSolveRequest,
  { signal, uploaded }: { signal: AbortSignal; uploaded?: Uploaded | undefined },
  scope: GatewayScope,
): Promise<Record<string, string>> {
  const exporters = exportersOf(request);
  const running = new RunningSolve({
    record: newRecord(request, exporters),
    session: request.Session,
    entitlements: request.Entitlements,
    signal,
  });
  using _running = scope.solves.add(running);
  await using _owned = running.owned;
  // Only now: the client asks for the progress, too, and a build that nobody knows is waited for.
  const work = () => solveRunning(request, running, exporters, { scope, signal, uploaded });
  const { response } = request.Internal ? await work() : await inHistory(running, scope.deps.history, work);
  return response;
}

/** The record is there before the client is answered: it looks for it at once. */
async function inHistory(
  { record, progress }: RunningSolve,
  history: BuildHistory,
  work: () => Promise<Solved>,
): Promise<Solved> {
  history.start(record);
  try {
    const solved = await work();
    record.ExporterResponse = solved.response;
    history.end(endedBuild(record, { progress, built: solved.built }));
    return solved;
  } catch (error) {
    history.end(endedBuild(record, { progress, error }));
    throw error;
  }
}

interface Solved {
  built: Built | undefined;
  response: Record<string, string>;
}

async function solveRunning(
  request: ControlSolveRequest,
  running: RunningSolve,
  exporters: readonly Exporter[],
  { scope, signal, uploaded }: { scope: GatewayScope; signal: AbortSignal; uploaded: Uploaded | undefined },
): Promise<Solved> {
  refuse(request);
  for (const exporter of exporters) checkExporter(exporter);
  const caches = request.Cache?.Exports ?? [];
  for (const cache of caches) checkCacheExport(cache);
  const abort = () => running.returned.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  const found =
    request.Frontend === "" ? await running.returned.promise : await solveAtOnce(request, running, scope, uploaded);
  if (!found) return { built: undefined, response: {} };
  const built = caches.some(({ Type }) => Type === "inline") ? withInlineCache(found) : found;
  const { progress } = running;
  const session = () => scope.sessions.get(request.Session);
  const response: Record<string, string> = {};
  for (const [index, exporter] of exporters.entries()) {
    const exportScope = { deps: scope.deps, session, progress, record: running.record, index, signal };
    Object.assign(response, await exportResult(exporter, built, exportScope));
  }
  for (const cache of caches) {
    Object.assign(response, await exportCache(cache, built, { deps: scope.deps, session, progress, signal }));
  }
  return { built, response };
}

/** A client that leaves the frontend to the daemon: the docker CLI before buildx. */
async function solveAtOnce(
  request: ControlSolveRequest,
  running: RunningSolve,
  scope: GatewayScope,
  uploaded: Uploaded | undefined,
): Promise<Built> {
  checkFrontend(request.Frontend, request.FrontendAttrs["source"]);
  const frontendRequest: FrontendRequest = {
    options: request.FrontendAttrs,
    inputs: new Map(),
    session: () => scope.sessions.get(request.Session),
    progress: running.progress,
    entitlements: request.Entitlements,
    imports: request.Cache?.Imports ?? [],
    signal: running.signal,
    uploaded,
  };
  return await scope.frontend.build(frontendRequest);
}

function exportersOf({ Exporters, ExporterDeprecated, ExporterAttrsDeprecated }: ControlSolveRequest): Exporter[] {
  if (Exporters.length > 0) return Exporters;
  return ExporterDeprecated === "" ? [] : [{ Type: ExporterDeprecated, Attrs: ExporterAttrsDeprecated }];
}

/** What would be ignored otherwise. */
function refuse({ SourcePolicy, EnableSessionExporter, Definition, Entitlements }: ControlSolveRequest): void {
  if (SourcePolicy) throw notImplemented("source policies are not supported");
  if (EnableSessionExporter) throw notImplemented("exporters of the session are not supported");
  if (Definition && Definition.def.length > 0) {
    throw notImplemented("builds of raw graphs (LLB) are not supported: only the frontend dockerfile.v0 is");
  }
  for (const name of Entitlements) {
    if (name !== "network.host") throw notImplemented(`the entitlement ${name} is not supported`);
  }
}
