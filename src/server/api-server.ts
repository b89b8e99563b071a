/** The Engine API as one function from request to response: routes, the headers on every answer, errors, and what is counted. */
import { apiVersion } from "../api/system.ts";
import type { Logger } from "../base/log.ts";
import { type Authorizer, authorized } from "./authorize.ts";
import type { Backends } from "./backends.ts";
import type { HttpHandler, HttpRequest, HttpResponse } from "./http/message.ts";
import { errorResponse, isUnexpected } from "./http-error.ts";
import { text } from "./responses.ts";
import { type Match, type Route, Router, TooOldError } from "./router.ts";
import { buildRoutes } from "./routes/build.ts";
import { buildkitRoutes } from "./routes/buildkit.ts";
import { containerArchiveRoutes } from "./routes/container-archive.ts";
import { containerStreamRoutes } from "./routes/container-streams.ts";
import { containerRoutes } from "./routes/containers.ts";
import { execRoutes } from "./routes/execs.ts";
import { imageRoutes } from "./routes/images.ts";
import { networkRoutes } from "./routes/networks.ts";
import { notBuiltRoutes } from "./routes/not-built.ts";
import { registryRoutes } from "./routes/registries.ts";
import { systemRoutes } from "./routes/system.ts";
import { volumeCopyRoutes } from "./routes/volume-copies.ts";
import { volumeRoutes } from "./routes/volumes.ts";

export interface ApiServerOptions {
  backends: Backends;
  /** The product's version, for the `Server` header. */
  version: string;
  log: Logger;
  /** Asked about every request and its answer. */
  authorizer?: Authorizer;
  /** Told of every answered request: the route's path, the status, and the seconds until the head was ready. */
  observe?: (method: string, path: string, status: number, seconds: number) => void;
}

/** Every route of the API. Order matters only within one method and first path segment: parameters take slashes. */
export function apiRoutes(backends: Backends): Route[] {
  return [
    ...containerStreamRoutes(backends.containers),
    ...containerArchiveRoutes(backends.containers),
    ...execRoutes(backends.execs),
    ...buildRoutes(backends),
    ...buildkitRoutes(backends.buildkit),
    ...notBuiltRoutes(backends.system),
    ...containerRoutes(backends.containers),
    ...registryRoutes(backends.registries),
    ...imageRoutes(backends.images, backends.containers),
    ...volumeRoutes(backends.volumes),
    ...volumeCopyRoutes(backends.volumeCopies),
    ...networkRoutes(backends.networks),
    ...systemRoutes(backends.system),
  ];
}

export function createApiHandler(options: ApiServerOptions): HttpHandler {
  const router = new Router(apiRoutes(options.backends));
  const common = {
    "Api-Version": apiVersion,
    "Docker-Experimental": String(options.backends.system.ping().experimental),
    Ostype: "linux",
    Server: `Gantry/${options.version} (linux)`,
  };
  const serve: HttpHandler = async (request) => {
    const started = performance.now();
    const { response, path } = await answer(router, request, options.log);
    options.observe?.(request.method, path, response.status, (performance.now() - started) / 1000);
    return response;
  };
  const handler = options.authorizer ? authorized(options.authorizer, serve, options.log) : serve;
  return async (request) => {
    const response = await handler(request);
    if (response.upgrade) return response;
    return { ...response, headers: { ...common, ...response.headers } };
  };
}

/** `path` is the route's, so that counting by it stays bounded. */
async function answer(
  router: Router,
  request: HttpRequest,
  log: Logger,
): Promise<{ response: HttpResponse; path: string }> {
  let match: Match | undefined;
  try {
    match = router.match(request);
    log.debug(`Calling ${request.method} ${request.path}`);
    return { response: await match.route.handler(match.context), path: match.route.path };
  } catch (error) {
    if (isUnexpected(error) && !request.signal.aborted) {
      log.error(`Handler for ${request.method} ${request.path} failed`, { error });
    }
    const response = error instanceof TooOldError ? text(`${error.message}\n`, 400) : errorResponse(error);
    return { response, path: match?.route.path ?? "unknown" };
  }
}
