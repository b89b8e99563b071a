/** Finds the route of a request: method and path, with or without `/v1.NN` before it. */
import { apiVersion, minApiVersion } from "../api/system.ts";
import { EngineError, invalidArgument, notFound } from "../base/errors.ts";
import type { HttpRequest, HttpResponse } from "./http/message.ts";
import { Query } from "./query.ts";

export interface RouteContext {
  readonly request: HttpRequest;
  /** Parts of the path, as `{name}` in the route; percent-decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  /** The minor number of the API version that the client speaks: 41 for 1.41. Unversioned paths speak the newest. */
  readonly version: number;
}

export type RouteHandler = (context: RouteContext) => HttpResponse | Promise<HttpResponse>;

export interface Route {
  readonly method: string;
  /** `/containers/{id}/json`. A parameter takes anything, slashes too (image names), as in dockerd. */
  readonly path: string;
  readonly handler: RouteHandler;
}

export interface Match {
  readonly route: Route;
  readonly context: RouteContext;
}

export function route(method: string, path: string, handler: RouteHandler): Route {
  return { method, path, handler };
}

interface Compiled {
  readonly route: Route;
  readonly pattern: RegExp;
}

const newest = minorOf(apiVersion);
const oldest = minorOf(minApiVersion);

/** The client's version is older than the daemon speaks; dockerd answers such clients in plain text. */
export class TooOldError extends EngineError {}

export class Router {
  private readonly groups = new Map<string, Compiled[]>();

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const key = `${route.method} ${firstSegment(route.path)}`;
      const group = this.groups.get(key) ?? [];
      group.push({ route, pattern: compile(route.path) });
      this.groups.set(key, group);
    }
  }

  /** Throws not-found for an unknown path or method (dockerd tells neither apart), and invalid-argument for versions not spoken. */
  match(request: HttpRequest): Match {
    const versioned = /^\/v([0-9.]+)(\/.*)$/.exec(request.path);
    const path = (versioned?.[2] ?? request.path).replace(/^\/{2,}/, "/");
    const found = this.find(request.method, path);
    if (!found) throw notFound("page not found");
    const version = versioned ? negotiated(versioned[1] as string) : newest;
    return {
      route: found.route,
      context: { request, params: found.params, query: new Query(request.query), version },
    };
  }

  private find(method: string, path: string): { route: Route; params: Record<string, string> } | undefined {
    const group = this.groups.get(`${method} ${firstSegment(path)}`) ?? this.groups.get(`${method} *`) ?? [];
    for (const { route, pattern } of group) {
      const match = pattern.exec(path);
      if (match) return { route, params: { ...match.groups } };
    }
    return undefined;
  }
}

function firstSegment(path: string): string {
  const segment = path.split("/", 2)[1] ?? "";
  return segment.startsWith("{") ? "*" : segment;
}

function compile(path: string): RegExp {
  const source = path.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{(\w+)\}/g, "(?<$1>.*)");
  return new RegExp(`^${source}$`, "s");
}

function minorOf(version: string): number {
  return Number(version.split(".")[1]);
}

function negotiated(text: string): number {
  const [major = 0, minor = 0] = text.split(".").map(Number);
  if (Number.isNaN(major) || Number.isNaN(minor)) throw notFound("page not found");
  if (major < 1 || (major === 1 && minor < oldest)) {
    throw new TooOldError(
      "invalid-argument",
      `client version ${text} is too old. Minimum supported API version is ${minApiVersion}, please upgrade your client to a newer version`,
    );
  }
  if (major > 1 || minor > newest) {
    throw invalidArgument(`client version ${text} is too new. Maximum supported API version is ${apiVersion}`);
  }
  return minor;
}
