/** Which handler serves a path. By hand: repository names have slashes, so the routes are told apart from their ends. */
import * as blobs from "./blobs.ts";
import type { Call, Handler, RegistryParts } from "./call.ts";
import { RegistryError } from "./http-error.ts";
import * as manifests from "./manifests.ts";
import { checkName } from "./names.ts";

export type RouteName = "base" | "catalog" | "manifests" | "blobs" | "uploads" | "upload" | "tags" | "referrers";

const routes: Record<RouteName, Record<string, Handler>> = {
  base: { GET: base, HEAD: base },
  catalog: { GET: manifests.listRepositories },
  manifests: {
    GET: manifests.getManifest,
    HEAD: manifests.getManifest,
    PUT: manifests.putManifest,
    DELETE: manifests.deleteManifest,
  },
  blobs: { GET: blobs.getBlob, HEAD: blobs.getBlob, DELETE: blobs.deleteBlob },
  uploads: { POST: blobs.startUpload },
  upload: { GET: blobs.getUpload, PATCH: blobs.patchUpload, PUT: blobs.putUpload, DELETE: blobs.cancelUpload },
  tags: { GET: manifests.listTags },
  referrers: { GET: manifests.listReferrers },
};

/** end-1. */
function base(): Response {
  return new Response("{}", { headers: { "content-type": "application/json", "content-length": "2" } });
}

export interface Match {
  readonly route: RouteName;
  readonly name: string;
  readonly reference: string;
}

/** The route of a path, or undefined. Names and references are decoded, and checked by whoever uses them. */
export function matchRoute(path: string): Match | undefined {
  if (path === "/v2/" || path === "/v2") return { route: "base", name: "", reference: "" };
  if (path === "/v2/_catalog") return { route: "catalog", name: "", reference: "" };
  const upload = /^\/v2\/(.+)\/blobs\/uploads(?:\/([^/]*))?$/.exec(path);
  if (upload) return { route: upload[2] ? "upload" : "uploads", name: upload[1] ?? "", reference: upload[2] ?? "" };
  const tags = /^\/v2\/(.+)\/tags\/list$/.exec(path);
  if (tags) return { route: "tags", name: tags[1] ?? "", reference: "" };
  const content = /^\/v2\/(.+)\/(manifests|blobs|referrers)\/([^/]+)$/.exec(path);
  if (!content) return undefined;
  return { route: content[2] as RouteName, name: content[1] ?? "", reference: decode(content[3] ?? "") };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Serves a matched request; throws RegistryError. */
export function dispatch(parts: RegistryParts, match: Match, request: Request, url: URL): Response | Promise<Response> {
  const handlers = routes[match.route];
  const handler = handlers[request.method];
  if (!handler) {
    throw new RegistryError("UNSUPPORTED", undefined, { headers: { allow: Object.keys(handlers).join(", ") } });
  }
  if (match.route !== "base" && match.route !== "catalog") checkName(match.name);
  const call: Call = { request, url, name: match.name, reference: match.reference };
  return handler(parts, call);
}
