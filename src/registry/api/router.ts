/** Which handler serves a path, and what one must be allowed for it. By hand: repository names have slashes, so routes are told apart from their ends. */
import type { Action, Grant } from "../access/grant.ts";
import * as blobs from "./blobs.ts";
import type { Call, Handler, RegistryParts } from "./call.ts";
import { RegistryError } from "./http-error.ts";
import * as manifests from "./manifests.ts";
import { checkName } from "./names.ts";
import { listRepositories, listTags } from "./pages.ts";

export type RouteName = "base" | "catalog" | "manifests" | "blobs" | "uploads" | "upload" | "tags" | "referrers";

type Endpoint = readonly [Handler, Action];

const routes: Record<RouteName, Record<string, Endpoint>> = {
  base: { GET: [base, "pull"], HEAD: [base, "pull"] },
  catalog: readable(listRepositories),
  manifests: {
    ...readable(manifests.getManifest),
    PUT: [manifests.putManifest, "push"],
    DELETE: [manifests.deleteManifest, "delete"],
  },
  blobs: { ...readable(blobs.getBlob), DELETE: [blobs.deleteBlob, "delete"] },
  uploads: { POST: [blobs.startUpload, "push"] },
  upload: {
    GET: [blobs.getUpload, "push"],
    HEAD: [blobs.getUpload, "push"],
    PATCH: [blobs.patchUpload, "push"],
    PUT: [blobs.putUpload, "push"],
    DELETE: [blobs.cancelUpload, "push"],
  },
  tags: readable(listTags),
  referrers: readable(manifests.listReferrers),
};

function readable(handler: Handler): Record<string, Endpoint> {
  return { GET: [handler, "pull"], HEAD: [handler, "pull"] };
}

/** end-1. */
function base(): Response {
  return new Response("{}", { headers: { "content-type": "application/json", "content-length": "2" } });
}

export interface Match {
  readonly route: RouteName;
  /** Not checked. */
  readonly name: string;
  readonly reference: string;
}

const kinds: ReadonlySet<string> = new Set(["manifests", "blobs", "referrers"]);

/** The route of a path, or undefined. References are decoded; names and references are checked by whoever uses them. */
export function matchRoute(path: string): Match | undefined {
  if (!path.startsWith("/v2/")) return path === "/v2" ? { route: "base", name: "", reference: "" } : undefined;
  if (path.length === 4) return { route: "base", name: "", reference: "" };
  if (path === "/v2/_catalog") return { route: "catalog", name: "", reference: "" };
  const slash = path.lastIndexOf("/");
  const before = path.lastIndexOf("/", slash - 1);
  if (before < 4) return undefined;
  const last = path.slice(slash + 1);
  const kind = path.slice(before + 1, slash);
  const name = path.slice(4, before);
  if (kind === "tags" && last === "list") return { route: "tags", name, reference: "" };
  if (kind === "blobs" && last === "uploads") return { route: "uploads", name, reference: "" };
  if (kind === "uploads" && name.endsWith("/blobs")) {
    return { route: last === "" ? "uploads" : "upload", name: name.slice(0, -"/blobs".length), reference: last };
  }
  if (!kinds.has(kind) || last === "") return undefined;
  return { route: kind as RouteName, name, reference: last.includes("%") ? decode(last) : last };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What is needed to be let in: undefined for the routes of no repository. */
export interface Need {
  readonly repository: string;
  readonly action: Action;
}

/** The handler of a matched request and what it needs; throws RegistryError where there is none, or the name is none. */
export function prepare({ route, name }: Match, method: string): { handler: Handler; need: Need | undefined } {
  const endpoints = routes[route];
  const endpoint = endpoints[method];
  if (!endpoint) {
    throw new RegistryError("UNSUPPORTED", undefined, { headers: { allow: Object.keys(endpoints).join(", ") } });
  }
  const [handler, action] = endpoint;
  if (route === "base" || route === "catalog") return { handler, need: undefined };
  return { handler, need: { repository: checkName(name), action } };
}

/** Serves a matched request; throws RegistryError. */
export function serve(
  parts: RegistryParts,
  { name, reference }: Match,
  handler: Handler,
  more: { request: Request; url: URL; grant: Grant; remote: string },
): Response | Promise<Response> {
  const call: Call = { ...more, name, reference };
  return handler(parts, call);
}
