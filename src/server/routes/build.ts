/** `POST /build` and the build cache. Spec: Docker Engine API, "Image". BuildKit's is in `build-buildkit.ts`. */
import type { HostConfig, Ulimit } from "../../api/container-config.ts";
import type { ProgressMessage } from "../../api/system.ts";
import { invalidArgument, notImplemented } from "../../base/errors.ts";
import type { BuildRequest } from "../../builder/build-request.ts";
import { recordFilters } from "../../builder/cache/record-filter.ts";
import type { Backends, BuildBackend } from "../backends.ts";
import type { HttpResponse } from "../http/message.ts";
import type { Query } from "../query.ts";
import { empty, json, progressStream } from "../responses.ts";
import { type Route, type RouteContext, route } from "../router.ts";
import { buildWithBuildkit } from "./build-buildkit.ts";
import { decodeLogins } from "./registries.ts";

/** As in dockerd: `unused-for` is the older name of `until`. */
const pruneFilters = [...recordFilters, "unused-for", "until"];

type BuildBackends = Pick<Backends, "builder" | "buildkit" | "system">;

export function buildRoutes(backends: BuildBackends): Route[] {
  const running = new Map<string, AbortController>();
  return [
    route("POST", "/build", (context) => build(backends, context, running)),
    route("POST", "/build/cancel", ({ query }) => {
      const id = query.text("id");
      if (id === "") throw invalidArgument("build ID not provided");
      running.get(id)?.abort();
      return empty(200);
    }),
    route("POST", "/build/prune", async ({ query }) => {
      const { "unused-for": unused, ...filters } = query.filters(pruneFilters);
      if (unused) filters["until"] = [...(filters["until"] ?? []), ...unused];
      const keepStorage = query.integer("reserved-space") ?? query.integer("keep-storage") ?? 0;
      return json(await backends.builder.prune({ all: query.bool("all"), keepStorage, filters }));
    }),
  ];
}

async function build(
  { builder, buildkit, system }: BuildBackends,
  context: RouteContext,
  running: Map<string, AbortController>,
): Promise<HttpResponse> {
  const { query, request, version } = context;
  check(query, system.ping());
  if (query.has("securityopt")) {
    throw invalidArgument("The daemon on this platform does not support setting security options on build");
  }
  const canceled = new AbortController();
  const id = query.text("buildid");
  if (id !== "") {
    running.set(id, canceled);
    // Every request's signal is aborted in the end, however it is answered.
    request.signal.addEventListener("abort", () => running.delete(id), { once: true });
  }
  const signal = AbortSignal.any([request.signal, canceled.signal]);
  if (query.text("version") === "2") return await buildWithBuildkit(buildkit, context, signal);
  const remote = query.text("remote");
  const wanted: BuildRequest = {
    context: remote === "" ? request.body : undefined,
    remote,
    dockerfile: query.text("dockerfile") || "Dockerfile",
    tags: query.all("t").filter(Boolean),
    args: query.json("buildargs", "error reading build args") ?? {},
    labels: query.json("labels", "error reading labels") ?? {},
    target: query.text("target"),
    platform: version >= 32 ? query.optional("platform") : undefined,
    cacheFrom: query.json("cachefrom", "error reading cache-from") ?? [],
    noCache: query.bool("nocache"),
    squash: query.bool("squash"),
    pull: query.bool("pull"),
    remove: query.bool("rm", true),
    forceRemove: query.bool("forcerm"),
    host: hostConfig(query),
    logins: decodeLogins(request.headers.get("x-registry-config")),
    signal,
  };
  const quiet = query.bool("q");
  return progressStream(async (progress) => {
    if (quiet) await buildQuietly(builder, wanted, progress);
    else await builder.build(wanted, progress);
  });
}

/** What dockerd refuses before anything else. */
function check(query: Query, { experimental }: { experimental: boolean }): void {
  const version = query.text("version");
  const squash = query.bool("squash");
  if (squash && !experimental) throw invalidArgument("squash is only supported with experimental mode");
  if (squash && version === "2")
    throw notImplemented("squash is not supported with BuildKit: only the classic builder can");
  if (!["", "1", "2"].includes(version)) throw invalidArgument(`invalid version ${JSON.stringify(version)}`);
  if (version !== "2" && query.text("remote") === "client-session") {
    throw invalidArgument(
      "experimental session with v1 builder is no longer supported, use builder version v2 (BuildKit) instead",
    );
  }
  const isolation = query.text("isolation");
  if (!["", "default"].includes(isolation))
    throw invalidArgument(`unsupported isolation: ${JSON.stringify(isolation)}`);
}

/** Nothing is said but the id; after a failure, everything. */
async function buildQuietly(
  builder: BuildBackend,
  request: BuildRequest,
  progress: (message: ProgressMessage) => void,
): Promise<void> {
  const said: ProgressMessage[] = [];
  let id: string;
  try {
    id = await builder.build(request, (message) => said.push(message));
  } catch (error) {
    for (const message of said) progress(message);
    throw error;
  }
  progress({ stream: `${id}\n` });
}

function hostConfig(query: Query): HostConfig {
  const number = (name: string) => query.integer(name) ?? 0;
  const ulimits = query.json<Ulimit[]>("ulimits", "error reading ulimit settings");
  return {
    Memory: number("memory"),
    MemorySwap: number("memswap"),
    CpuShares: number("cpushares"),
    CpuPeriod: number("cpuperiod"),
    CpuQuota: number("cpuquota"),
    CpusetCpus: query.text("cpusetcpus"),
    CpusetMems: query.text("cpusetmems"),
    CgroupParent: query.text("cgroupparent"),
    ExtraHosts: query
      .all("extrahosts")
      .flatMap((host) => host.split(","))
      .filter(Boolean),
    ...(query.optional("networkmode") ? { NetworkMode: query.text("networkmode") } : {}),
    ...(query.optional("shmsize") ? { ShmSize: number("shmsize") } : {}),
    ...(ulimits ? { Ulimits: ulimits } : {}),
  };
}
