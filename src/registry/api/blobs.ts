/**
 * Blobs and uploads: end-2, end-4a/b, end-5, end-6, end-10, end-11, end-13.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#endpoints
 */

import { algorithmOf } from "../../oci/digest.ts";
import { formatRange } from "../content/uploads.ts";
import type { Change } from "../notifications/notifier.ts";
import { blobKey } from "../storage/driver.ts";
import type { Call, RegistryParts } from "./call.ts";
import { headResponse, notify } from "./call.ts";
import { RegistryError } from "./http-error.ts";
import { type ByteRange, checkDigest, isKnownTo, parseContentRange, parseRange } from "./names.ts";

/** end-2. HEAD takes a lease: it is how a pusher learns that it need not upload. */
export async function getBlob(parts: RegistryParts, call: Call): Promise<Response> {
  const { driver, blobs } = parts;
  const { request, name, reference } = call;
  const digest = checkDigest(reference);
  const head = request.method === "HEAD";
  let size = await (head ? blobs.promise(name, digest) : blobs.find(name, digest));
  if (size === undefined && parts.pullThrough) {
    const { pullThrough } = parts;
    const found = head
      ? await pullThrough.blobSize(name, digest)
      : await pullThrough.blob(name, digest, !request.headers.has("range"));
    if (found instanceof ReadableStream) return streamed(found, digest);
    size = found;
  }
  if (size === undefined) throw new RegistryError("BLOB_UNKNOWN", undefined, { detail: { digest } });
  const headers: Record<string, string> = {
    "content-type": "application/octet-stream",
    "content-length": String(size),
    "docker-content-digest": digest,
    etag: `"${digest}"`,
    "accept-ranges": "bytes",
    "cache-control": "max-age=31536000",
  };
  if (head) return headResponse(headers);
  if (isKnownTo(request, digest)) return new Response(null, { status: 304, headers });
  const elsewhere = driver.link(blobKey(digest));
  if (elsewhere !== undefined)
    return new Response(null, { status: 307, headers: { ...linkHeaders, location: elsewhere } });
  const range = parseRange(request.headers.get("range"), size);
  const mediaType = headers["content-type"] ?? "";
  if ((await driver.stat(blobKey(digest))) !== size) {
    throw new RegistryError("UNKNOWN", undefined, {
      cause: new Error(`the bytes of ${digest} are gone from the storage`),
    });
  }
  notify(parts, call, { action: "pull", repository: name, target: { digest, size, mediaType, kind: "blobs" } });
  if (!range) return new Response(await driver.body(blobKey(digest), 0, size), { headers });
  headers["content-length"] = String(range.end - range.start + 1);
  headers["content-range"] = `bytes ${range.start}-${range.end}/${size}`;
  return new Response(await driver.body(blobKey(digest), range.start, range.end + 1), { status: 206, headers });
}

/** A link is good for minutes only. */
const linkHeaders = { "cache-control": "no-store" };

/** A blob that is on its way here. How long it is turns out at its end. */
function streamed(body: ReadableStream<Uint8Array>, digest: string): Response {
  return new Response(body, {
    headers: { "content-type": "application/octet-stream", "docker-content-digest": digest },
  });
}

/** end-10. A blob that a manifest of the repository refers to stays: no tag may become unpullable this way. */
export async function deleteBlob(parts: RegistryParts, call: Call): Promise<Response> {
  const { blobs, allowDelete } = parts;
  const { name, reference } = call;
  const digest = checkDigest(reference);
  if (!allowDelete) throw new RegistryError("UNSUPPORTED");
  if (await blobs.isReferenced(name, digest)) {
    throw new RegistryError("UNSUPPORTED", "the blob is in use by a manifest; delete the manifest first");
  }
  if (!(await blobs.unlink(name, digest))) throw new RegistryError("BLOB_UNKNOWN", undefined, { detail: { digest } });
  notify(parts, call, { action: "delete", repository: name, target: { digest, kind: "blobs" } });
  return new Response(null, { status: 202, headers: { "docker-content-digest": digest } });
}

/** end-4a, end-4b and end-11: begins an upload, or uploads in one request (`digest`), or takes a blob that is here (`mount`). */
export async function startUpload(parts: RegistryParts, call: Call): Promise<Response> {
  const { request, url, name } = call;
  const mount = url.searchParams.get("mount");
  if (mount !== null) {
    const from = await mountBlob(parts, call, mount, url.searchParams.get("from"));
    if (from !== undefined) {
      notify(parts, call, { action: "mount", repository: name, target: { digest: mount, kind: "blobs", from } });
      return created(name, mount);
    }
  }
  const digestText = url.searchParams.get("digest");
  const algorithm = digestAlgorithm(url.searchParams.get("digest-algorithm"));
  if (mount !== null || digestText === null)
    return uploadStatus(name, await parts.uploads.start(name, algorithm), 0, 202);
  const digest = checkDigest(digestText);
  const id = await parts.uploads.start(name, algorithmOf(digest));
  const size = await parts.uploads.finish(name, id, digest, request.body);
  notify(parts, call, pushed(name, digest, size));
  return created(name, digest);
}

/** The one that the client is going to name the blob by. */
function digestAlgorithm(text: string | null): string {
  if (text === null || text === "sha256" || text === "sha512") return text ?? "sha256";
  throw new RegistryError("DIGEST_INVALID", "unsupported digest algorithm", {
    detail: { algorithm: text.slice(0, 50) },
  });
}

const anonymousMountCandidates = 100;

/**
 * The repository that the blob was linked from; only from one that the client may pull from. What cannot be mounted, be it that the names
 * are none, is uploaded instead.
 */
async function mountBlob(
  { database, blobs, policies }: RegistryParts,
  { name, grant }: Call,
  digest: string,
  from: string | null,
): Promise<string | undefined> {
  const size = await blobs.findAnywhere(digest);
  if (size === undefined) return undefined;
  const sources = from === null ? await blobs.holders(digest, anonymousMountCandidates) : [from];
  const source = sources.find((repository) => grant.allows(repository, "pull"));
  if (source === undefined) return undefined;
  await policies.admit(name, digest, size);
  // Under the lock, so that no collection comes between finding the blob and linking it.
  const mounted = await database.lock(digest, () => blobs.mount(name, digest, source));
  return mounted ? source : undefined;
}

function pushed(repository: string, digest: string, size: number): Change {
  return { action: "push", repository, target: { digest, size, mediaType: "application/octet-stream", kind: "blobs" } };
}

/** end-13. */
export async function getUpload({ uploads }: RegistryParts, { name, reference }: Call): Promise<Response> {
  return uploadStatus(name, reference, await uploads.size(name, reference), 204);
}

/** end-5. */
export async function patchUpload({ uploads }: RegistryParts, { request, name, reference }: Call): Promise<Response> {
  const range = chunkRange(request);
  try {
    const size = await uploads.append(name, reference, request.body, range);
    return uploadStatus(name, reference, size, 202);
  } catch (error) {
    throw withLocation(error, name, reference);
  }
}

/** end-6. */
export async function putUpload(parts: RegistryParts, call: Call): Promise<Response> {
  const { request, url, name, reference } = call;
  const digest = url.searchParams.get("digest");
  if (digest === null) throw new RegistryError("DIGEST_INVALID", "the digest parameter is missing");
  try {
    const size = await parts.uploads.finish(name, reference, checkDigest(digest), request.body, chunkRange(request));
    notify(parts, call, pushed(name, digest, size));
  } catch (error) {
    throw withLocation(error, name, reference);
  }
  return created(name, digest);
}

/** Not in OCI's specification but in Docker's: gives an upload up. */
export async function cancelUpload({ uploads }: RegistryParts, { name, reference }: Call): Promise<Response> {
  await uploads.cancel(name, reference);
  return new Response(null, { status: 204 });
}

function chunkRange(request: Request): ByteRange | undefined {
  const header = request.headers.get("content-range");
  if (header === null) return undefined;
  const range = parseContentRange(header);
  const length = request.headers.get("content-length");
  if (length !== null && Number(length) !== range.end - range.start + 1) throw new RegistryError("SIZE_INVALID");
  return range;
}

/** A chunk out of order is answered with where the upload stands. */
function withLocation(error: unknown, name: string, id: string): unknown {
  if (!(error instanceof RegistryError) || error.code !== "RANGE_INVALID") return error;
  return new RegistryError("RANGE_INVALID", undefined, {
    headers: { ...error.headers, location: uploadPath(name, id) },
  });
}

function uploadPath(name: string, id: string): string {
  return `/v2/${name}/blobs/uploads/${id}`;
}

function uploadStatus(name: string, id: string, size: number, status: number): Response {
  const headers = { location: uploadPath(name, id), range: formatRange(size), "docker-upload-uuid": id };
  return new Response(null, { status, headers });
}

function created(name: string, digest: string): Response {
  const headers = { location: `/v2/${name}/blobs/${digest}`, "docker-content-digest": digest };
  return new Response(null, { status: 201, headers });
}
