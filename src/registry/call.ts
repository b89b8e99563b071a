/** One request as the handlers see it, and the parts of the registry that they work on. */

import type { BlobIndex } from "./metadata/blob-index.ts";
import type { ManifestIndex } from "./metadata/manifest-index.ts";
import type { StorageDriver } from "./storage/driver.ts";
import type { Uploads } from "./uploads.ts";

export interface RegistryParts {
  readonly driver: StorageDriver;
  readonly blobs: BlobIndex;
  readonly manifests: ManifestIndex;
  readonly uploads: Uploads;
  readonly maxManifestBytes: number;
  /** The most entries of one page of tags, repositories or referrers. */
  readonly maxPage: number;
  readonly allowDelete: boolean;
}

export interface Call {
  readonly request: Request;
  readonly url: URL;
  /** Checked. Empty for the routes that have no repository. */
  readonly name: string;
  /** A tag, digest or upload id as it stands in the path, not checked; empty where the route has none. */
  readonly reference: string;
}

export type Handler = (parts: RegistryParts, call: Call) => Response | Promise<Response>;

export function jsonResponse(body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { headers: { "content-type": "application/json", ...headers } });
}

/** An answer to HEAD: the headers of the GET, its length included, and no body. */
export function headResponse(headers: Record<string, string>): Response {
  return new Response(null, { headers });
}
