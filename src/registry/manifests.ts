/** Manifests, tags, the catalogue and referrers: end-3, end-7, end-8a/b, end-9, end-12a/b, and Docker's catalogue. */
import { mediaTypes } from "../oci/manifest.ts";
import { type Call, headResponse, jsonResponse, type RegistryParts } from "./call.ts";
import { RegistryError } from "./http-error.ts";
import type { Page, StoredManifest } from "./metadata/manifest-index.ts";
import { checkDigest, isTag } from "./names.ts";
import { readManifest } from "./parse-manifest.ts";

/** end-3. */
export function getManifest({ manifests }: RegistryParts, { request, name, reference }: Call): Response {
  const found = findManifest(manifests, name, reference);
  if (!found) {
    const known = manifests.isKnown(name);
    const detail = known ? { reference } : { name };
    throw new RegistryError(known ? "MANIFEST_UNKNOWN" : "NAME_UNKNOWN", undefined, { detail });
  }
  const headers = {
    "content-type": found.mediaType,
    "content-length": String(found.content.length),
    "docker-content-digest": found.digest,
    etag: `"${found.digest}"`,
  };
  if (request.headers.get("if-none-match") === headers.etag) return new Response(null, { status: 304, headers });
  return request.method === "HEAD" ? headResponse(headers) : new Response(found.content, { headers });
}

function findManifest(
  manifests: RegistryParts["manifests"],
  name: string,
  reference: string,
): StoredManifest | undefined {
  if (isTag(reference)) return manifests.findByTag(name, reference);
  return manifests.find(name, checkDigest(reference));
}

/** end-7. All that the manifest refers to must be in the repository; a subject need not. */
export async function putManifest(parts: RegistryParts, { request, name, reference }: Call): Promise<Response> {
  const tag = isTag(reference) ? reference : undefined;
  if (tag === undefined && !reference.includes(":")) throw new RegistryError("TAG_INVALID", "invalid tag");
  if (tag === undefined) checkDigest(reference);
  const content = await readBody(request, parts.maxManifestBytes);
  const manifest = readManifest(content, request.headers.get("content-type"));
  const digest = tag === undefined ? digestAs(reference, content) : manifest.digest;
  if (tag === undefined && digest !== reference) {
    throw new RegistryError("DIGEST_INVALID", undefined, { detail: { expected: reference, actual: digest } });
  }
  parts.manifests.put(name, { ...manifest, digest }, tag, () => {
    const missing = [
      ...manifest.blobs.filter((blob) => parts.blobs.find(name, blob) === undefined),
      ...manifest.manifests.filter((child) => !parts.manifests.has(name, child)),
    ];
    if (missing.length > 0) {
      throw new RegistryError("MANIFEST_BLOB_UNKNOWN", undefined, { detail: { digests: missing.slice(0, 50) } });
    }
  });
  const headers: Record<string, string> = {
    location: `/v2/${name}/manifests/${digest}`,
    "docker-content-digest": digest,
  };
  if (manifest.subject !== undefined) headers["oci-subject"] = manifest.subject;
  return new Response(null, { status: 201, headers });
}

function digestAs(reference: string, content: Uint8Array): string {
  const algorithm = reference.startsWith("sha512:") ? "sha512" : "sha256";
  return `${algorithm}:${new Bun.CryptoHasher(algorithm).update(content).digest("hex")}`;
}

async function readBody(request: Request, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > limit) throw new RegistryError("MANIFEST_INVALID", `manifest is larger than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** end-9: a tag alone, or a manifest with its tags. */
export function deleteManifest({ manifests, allowDelete }: RegistryParts, { name, reference }: Call): Response {
  if (!allowDelete) throw new RegistryError("UNSUPPORTED");
  const gone = isTag(reference) ? manifests.deleteTag(name, reference) : manifests.delete(name, checkDigest(reference));
  if (!gone) throw new RegistryError("MANIFEST_UNKNOWN", undefined, { detail: { reference } });
  return new Response(null, { status: 202 });
}

/** end-8a and end-8b. */
export function listTags({ manifests, maxPage }: RegistryParts, { url, name }: Call): Response {
  if (!manifests.isKnown(name)) throw new RegistryError("NAME_UNKNOWN", undefined, { detail: { name } });
  const { entries, link } = paginate(url, maxPage, (page) => manifests.tags(name, page));
  return jsonResponse({ name, tags: entries }, link);
}

/** Docker's `/v2/_catalog`. */
export function listRepositories({ manifests, maxPage }: RegistryParts, { url }: Call): Response {
  const { entries, link } = paginate(url, maxPage, (page) => manifests.repositories(page));
  return jsonResponse({ repositories: entries }, link);
}

/** end-12a and end-12b. A subject that is not there has no referrers: an empty index, not an error. */
export function listReferrers({ manifests, maxPage }: RegistryParts, { url, name, reference }: Call): Response {
  const subject = checkDigest(reference);
  const artifactType = url.searchParams.get("artifactType") || undefined;
  const after = url.searchParams.get("last") ?? "";
  const found = manifests.referrers(name, subject, artifactType, { limit: maxPage + 1, after });
  const entries = found.slice(0, maxPage);
  const headers: Record<string, string> = { "content-type": mediaTypes.ociIndex };
  if (artifactType !== undefined) headers["oci-filters-applied"] = "artifactType";
  const last = entries.at(-1);
  if (last && found.length > entries.length) headers["link"] = nextLink(url, { last: last.digest });
  return jsonResponse({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: entries }, headers);
}

/** `n` and `last`; one entry more than asked for tells whether there is a next page. */
function paginate(url: URL, maxPage: number, list: (page: Page) => string[]) {
  const wanted = url.searchParams.get("n");
  if (wanted !== null && !/^\d{1,9}$/.test(wanted)) {
    throw new RegistryError("PAGINATION_NUMBER_INVALID", undefined, { detail: { n: wanted.slice(0, 100) } });
  }
  const limit = Math.min(wanted === null ? maxPage : Number(wanted), maxPage);
  if (limit === 0) return { entries: [], link: {} };
  const found = list({ limit: limit + 1, after: url.searchParams.get("last") ?? "" });
  const entries = found.slice(0, limit);
  const last = entries.at(-1);
  const more = last !== undefined && found.length > limit;
  return { entries, link: more ? { link: nextLink(url, { n: String(limit), last }) } : {} };
}

function nextLink(url: URL, change: Record<string, string>): string {
  const next = new URLSearchParams(url.searchParams);
  for (const [key, value] of Object.entries(change)) next.set(key, value);
  return `<${url.pathname}?${next}>; rel="next"`;
}
