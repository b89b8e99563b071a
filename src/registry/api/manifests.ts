/** Manifests and referrers: end-3, end-7, end-9, end-12a/b. */
import { algorithmOf, digestOf } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/manifest.ts";
import { ImmutableTagError, type NewManifest, type StoredManifest } from "../metadata/manifest-index.ts";
import { type Call, headResponse, jsonResponse, notify, type RegistryParts } from "./call.ts";
import { RegistryError } from "./http-error.ts";
import { checkDigest, isKnownTo, isTag } from "./names.ts";
import { nextLink } from "./pages.ts";
import { readManifest } from "./parse-manifest.ts";

/** end-3. */
export async function getManifest(parts: RegistryParts, call: Call): Promise<Response> {
  const { request, name, reference } = call;
  const found = await findManifest(parts, call);
  if (!found) throw new RegistryError("MANIFEST_UNKNOWN", undefined, { detail: { name, reference } });
  const headers = {
    "content-type": found.mediaType,
    "content-length": String(found.content.length),
    "docker-content-digest": found.digest,
    etag: `"${found.digest}"`,
  };
  if (isKnownTo(request, found.digest)) return new Response(null, { status: 304, headers });
  if (request.method === "HEAD") return headResponse(headers);
  if (parts.notifier)
    notify(parts, call, { action: "pull", repository: name, target: targetOf(found, tagOf(reference)) });
  return new Response(found.content as Uint8Array<ArrayBuffer>, { headers });
}

function findManifest({ manifests, pullThrough }: RegistryParts, { name, reference }: Call) {
  const tag = tagOf(reference);
  if (tag === undefined) checkDigest(reference);
  if (pullThrough?.isMirrored(name)) return pullThrough.manifest(name, reference);
  return tag === undefined ? manifests.find(name, reference) : manifests.findByTag(name, tag);
}

function tagOf(reference: string): string | undefined {
  return isTag(reference) ? reference : undefined;
}

function targetOf({ digest, mediaType, content }: StoredManifest, tag: string | undefined) {
  return { digest, mediaType, size: content.length, kind: "manifests" as const, tag };
}

/** end-7a, and end-7b with tags in the query. All that the manifest refers to must be in the repository; a subject need not. */
export async function putManifest(parts: RegistryParts, call: Call): Promise<Response> {
  const { request, url, name, reference } = call;
  const tags = tagsOf(reference, url);
  const content = await readBody(request, parts.maxManifestBytes);
  const manifest = readManifest(content, request.headers.get("content-type"));
  const digest = isTag(reference) ? manifest.digest : digestOf(content, algorithmOf(reference));
  if (!isTag(reference) && digest !== reference) {
    throw new RegistryError("DIGEST_INVALID", undefined, { detail: { expected: reference, actual: digest } });
  }
  await store(parts, name, { ...manifest, digest }, tags);
  for (const tag of tags.length > 0 ? tags : [undefined]) {
    notify(parts, call, { action: "push", repository: name, target: targetOf({ ...manifest, digest }, tag) });
  }
  const headers = new Headers({ location: `/v2/${name}/manifests/${digest}`, "docker-content-digest": digest });
  if (manifest.subject !== undefined) headers.set("oci-subject", manifest.subject);
  if (url.searchParams.has("tag")) headers.set("oci-tag", tags.join(", "));
  return new Response(null, { status: 201, headers });
}

const maxTags = 50;

/** The tags that a PUT sets: the one in the path, and those in the query. */
function tagsOf(reference: string, url: URL): string[] {
  const tags = url.searchParams.getAll("tag");
  if (isTag(reference)) tags.unshift(reference);
  else if (reference.includes(":")) checkDigest(reference);
  else throw new RegistryError("TAG_INVALID", "invalid tag");
  if (tags.length > maxTags)
    throw new RegistryError("TAG_INVALID", `more than ${maxTags} tags at once`, { status: 414 });
  if (!tags.every(isTag)) throw new RegistryError("TAG_INVALID", "invalid tag");
  return [...new Set(tags)];
}

async function store(
  parts: RegistryParts,
  name: string,
  manifest: NewManifest,
  tags: readonly string[],
): Promise<void> {
  const isImmutable = (tag: string) => parts.policies.isImmutable(name, tag);
  try {
    const missing = await parts.manifests.put(name, manifest, { tags, isImmutable });
    if (missing.length === 0) return;
    throw new RegistryError("MANIFEST_BLOB_UNKNOWN", undefined, { detail: { digests: missing.slice(0, 50) } });
  } catch (error) {
    if (error instanceof ImmutableTagError) throw new RegistryError("DENIED", error.message);
    throw error;
  }
}

async function readBody(request: Request, limit: number): Promise<Uint8Array> {
  const tooLarge = () =>
    new RegistryError("MANIFEST_INVALID", `manifest is larger than ${limit} bytes`, { status: 413 });
  if (Number(request.headers.get("content-length")) > limit) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > limit) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** end-9: a tag alone, or a manifest with its tags. */
export async function deleteManifest(parts: RegistryParts, call: Call): Promise<Response> {
  const { manifests, tags, policies } = parts;
  const { name, reference } = call;
  if (!parts.allowDelete) throw new RegistryError("UNSUPPORTED");
  const tag = tagOf(reference);
  const held = (tag === undefined ? await manifests.tagsOf(name, checkDigest(reference)) : [tag]).find((each) =>
    policies.isImmutable(name, each),
  );
  if (held !== undefined) throw new RegistryError("DENIED", `tag ${held} is immutable`);
  const gone = await (tag === undefined ? manifests.delete(name, reference) : tags.delete(name, tag));
  if (!gone) throw new RegistryError("MANIFEST_UNKNOWN", undefined, { detail: { reference } });
  const target = tag === undefined ? { digest: reference } : { tag };
  notify(parts, call, { action: "delete", repository: name, target: { ...target, kind: "manifests" } });
  return new Response(null, { status: 202 });
}

/** end-12a and end-12b. A subject that is not there has no referrers: an empty index, not an error. */
export async function listReferrers(parts: RegistryParts, { url, name, reference }: Call): Promise<Response> {
  const { manifests, maxPage } = parts;
  const subject = checkDigest(reference);
  const artifactType = url.searchParams.get("artifactType") || undefined;
  const after = url.searchParams.get("last") ?? "";
  const found = await manifests.referrers(name, subject, artifactType, { limit: maxPage + 1, after });
  const entries = found.slice(0, maxPage);
  const headers: Record<string, string> = { "content-type": mediaTypes.ociIndex };
  if (artifactType !== undefined) headers["oci-filters-applied"] = "artifactType";
  const last = entries.at(-1);
  if (last && found.length > entries.length) headers["link"] = nextLink(url, { last: last.digest });
  return jsonResponse({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: entries }, headers);
}
