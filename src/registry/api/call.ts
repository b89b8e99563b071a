/** One request as the handlers see it, and the parts of the registry that they work on. */
import type { Grant } from "../access/grant.ts";
import type { Uploads } from "../content/uploads.ts";
import type { BlobIndex } from "../metadata/blob-index.ts";
import type { Database } from "../metadata/database.ts";
import type { ManifestIndex } from "../metadata/manifest-index.ts";
import type { TagIndex } from "../metadata/tag-index.ts";
import type { PullThrough } from "../mirrors/pull-through.ts";
import type { Change, Notifier } from "../notifications/notifier.ts";
import type { Policies } from "../policies/policies.ts";
import type { StorageDriver } from "../storage/driver.ts";

export interface RegistryParts {
  readonly driver: StorageDriver;
  readonly database: Database;
  readonly blobs: BlobIndex;
  readonly manifests: ManifestIndex;
  readonly tags: TagIndex;
  readonly uploads: Uploads;
  readonly policies: Policies;
  /** Undefined: nobody is to be notified. */
  readonly notifier: Notifier | undefined;
  /** Undefined: nothing is fetched from elsewhere. */
  readonly pullThrough: PullThrough | undefined;
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
  readonly grant: Grant;
  /** The client's address. */
  readonly remote: string;
}

export type Handler = (parts: RegistryParts, call: Call) => Response | Promise<Response>;

export function jsonResponse(body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { headers: { "content-type": "application/json", ...headers } });
}

/** An answer to HEAD: the headers of the GET, its length included, and no body. */
export function headResponse(headers: Record<string, string>): Response {
  return new Response(null, { headers });
}

/** Tells those who want to know. Does not wait for them. */
export function notify({ notifier }: RegistryParts, call: Call, change: Change): void {
  notifier?.tell(change, { request: call.request, url: call.url, user: call.grant.user, remote: call.remote });
}
