/**
 * Blobs and uploads: end-2, end-4a/b, end-5, end-6, end-10, end-11, end-13.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#endpoints
 */
import type { Call, RegistryParts } from "./call.ts";
import { headResponse } from "./call.ts";
import { RegistryError } from "./http-error.ts";
import { type ByteRange, checkDigest, checkName, parseContentRange, parseRange } from "./names.ts";
import { blobKey } from "./storage/driver.ts";
import { formatRange } from "./uploads.ts";

/** end-2. HEAD takes a lease: it is how a pusher learns that it need not upload. */
export async function getBlob({ driver, blobs }: RegistryParts, { request, name, reference }: Call): Promise<Response> {
  const digest = checkDigest(reference);
  const head = request.method === "HEAD";
  const size = head ? blobs.promise(name, digest) : blobs.find(name, digest);
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
  if (request.headers.get("if-none-match") === headers["etag"]) return new Response(null, { status: 304, headers });
  const range = parseRange(request.headers.get("range"), size);
  if ((await driver.stat(blobKey(digest))) !== size) {
    throw new RegistryError("UNKNOWN", undefined, {
      cause: new Error(`the bytes of ${digest} are gone from the storage`),
    });
  }
  if (!range) return new Response(driver.body(blobKey(digest), 0, size), { headers });
  headers["content-length"] = String(range.end - range.start + 1);
  headers["content-range"] = `bytes ${range.start}-${range.end}/${size}`;
  return new Response(driver.body(blobKey(digest), range.start, range.end + 1), { status: 206, headers });
}

/** end-10. A blob that a manifest of the repository refers to stays: no tag may become unpullable this way. */
export function deleteBlob({ blobs, allowDelete }: RegistryParts, { name, reference }: Call): Response {
  const digest = checkDigest(reference);
  if (!allowDelete) throw new RegistryError("UNSUPPORTED");
  if (blobs.isReferenced(name, digest)) {
    throw new RegistryError("UNSUPPORTED", "the blob is in use by a manifest; delete the manifest first");
  }
  if (!blobs.unlink(name, digest)) throw new RegistryError("BLOB_UNKNOWN", undefined, { detail: { digest } });
  return new Response(null, { status: 202, headers: { "docker-content-digest": digest } });
}

/** end-4a, end-4b and end-11: begins an upload, or uploads in one request (`digest`), or takes a blob that is here (`mount`). */
export async function startUpload(parts: RegistryParts, { request, url, name }: Call): Promise<Response> {
  const mount = url.searchParams.get("mount");
  if (mount !== null && mountBlob(parts, name, checkDigest(mount), url.searchParams.get("from"))) {
    return created(name, mount);
  }
  const digestText = url.searchParams.get("digest");
  if (mount !== null || digestText === null) return uploadStatus(name, await parts.uploads.start(name), 0, 202);
  const digest = checkDigest(digestText);
  const id = await parts.uploads.start(name);
  await parts.uploads.finish(name, id, digest, request.body);
  return created(name, digest);
}

/** Whether the blob could be linked. Looking and linking are one synchronous step, so no collection comes between. */
function mountBlob({ blobs }: RegistryParts, name: string, digest: string, from: string | null): boolean {
  const found = from === null ? blobs.findAnywhere(digest) : blobs.find(checkName(from), digest);
  if (found === undefined) return false;
  blobs.link(name, digest);
  return true;
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
export async function putUpload(
  { uploads }: RegistryParts,
  { request, url, name, reference }: Call,
): Promise<Response> {
  const digest = url.searchParams.get("digest");
  if (digest === null) throw new RegistryError("DIGEST_INVALID", "the digest parameter is missing");
  try {
    await uploads.finish(name, reference, checkDigest(digest), request.body, chunkRange(request));
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
