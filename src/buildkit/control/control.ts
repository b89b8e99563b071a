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
import { checkExporter, exportResult } from "../exporters/export.ts";
import { checkFrontend, type FrontendRequest, type Uploaded } from "../frontend/frontend.ts";
import type { Progress } from "../progress.ts";
import { tunnel } from "../session/tunnel.ts";
import { diskUsage, prune } from "./cache.ts";
import { type GatewayScope, gatewayMethods } from "./gateway.ts";
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
    ...gatewayMethods(scope),
  ];
  return new Map(methods);
}

async function status({ messages, signal }: Call, { solves }: GatewayScope): Promise<void> {
  const { Ref } = statusRequest.decode(await messages.one());
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
  refuse(request);
  const exporters = exportersOf(request);
  for (const exporter of exporters) checkExporter(exporter);
  const running = new RunningSolve({
    ref: request.Ref,
    session: request.Session,
    entitlements: request.Entitlements,
    signal,
  });
  using _running = scope.solves.add(running);
  sayIgnoredCaches(request, running.progress);
  const abort = () => running.returned.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  const id =
    request.Frontend === "" ? await running.returned.promise : await solveAtOnce(request, running, scope, uploaded);
  const result = id === undefined ? undefined : running.results.get(id);
  const response: Record<string, string> = {};
  if (!result) return response;
  const session = () => scope.sessions.get(request.Session);
  for (const [index, exporter] of exporters.entries()) {
    const { progress } = running;
    Object.assign(
      response,
      await exportResult(exporter, result, { deps: scope.deps, session, progress, index, signal }),
    );
  }
  return response;
}

/** Caches from elsewhere are not read, and none is written into images: a build goes on without, and says so. */
function sayIgnoredCaches({ Cache }: ControlSolveRequest, progress: Progress): void {
  for (const { Type, Attrs } of Cache?.Imports ?? []) {
    const vertex = progress.vertex(`importing cache manifest from ${Attrs["ref"] ?? Type}`);
    vertex.complete({ error: `cache import from ${Type} is not supported` });
  }
  for (const { Type } of Cache?.Exports ?? []) {
    progress.vertex(`exporting ${Type} cache`).complete({ error: `cache export to ${Type} is not supported` });
  }
}

/** A client that leaves the frontend to the daemon: the docker CLI before buildx. */
async function solveAtOnce(
  request: ControlSolveRequest,
  running: RunningSolve,
  scope: GatewayScope,
  uploaded: Uploaded | undefined,
): Promise<string> {
  checkFrontend(request.Frontend, request.FrontendAttrs["source"]);
  const frontendRequest: FrontendRequest = {
    options: request.FrontendAttrs,
    inputs: new Map(),
    session: await scope.sessions.get(request.Session),
    progress: running.progress,
    entitlements: request.Entitlements,
    signal: running.signal,
    uploaded,
  };
  running.results.set(request.Ref, await scope.frontend.build(frontendRequest));
  return request.Ref;
}

function exportersOf({ Exporters, ExporterDeprecated, ExporterAttrsDeprecated }: ControlSolveRequest): Exporter[] {
  if (Exporters.length > 0) return Exporters;
  return ExporterDeprecated === "" ? [] : [{ Type: ExporterDeprecated, Attrs: ExporterAttrsDeprecated }];
}

/** What would be ignored otherwise. */
function refuse({ Cache, SourcePolicy, EnableSessionExporter, Definition, Entitlements }: ControlSolveRequest): void {
  const exports = Cache?.Exports.filter(({ Type }) => Type !== "inline") ?? [];
  if (exports.length > 0) throw notImplemented(`cache export to ${exports[0]?.Type} is not supported`);
  if (SourcePolicy) throw notImplemented("source policies are not supported");
  if (EnableSessionExporter) throw notImplemented("exporters of the session are not supported");
  if (Definition && Definition.def.length > 0) {
    throw notImplemented("builds of raw graphs (LLB) are not supported: only the frontend dockerfile.v0 is");
  }
  for (const name of Entitlements) {
    if (name !== "network.host") throw notImplemented(`the entitlement ${name} is not supported`);
  }
}
