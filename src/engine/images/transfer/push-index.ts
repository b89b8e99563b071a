/**
 * A name of several platforms to a repository, as the index that it is. What is not here (other platforms, attestations) is there
 * already, or comes from another repository of the same registry without passing through this machine; what cannot be had is left
 * out, and the index is then a new one.
 */
import { once } from "../../../base/streams.ts";
import { type Digest, digestOf } from "../../../oci/digest.ts";
import { type Descriptor, type Index, isIndexType, parseManifest } from "../../../oci/manifest.ts";
import type { Reference } from "../../../oci/reference.ts";
import type { NamedBlob } from "../archive/archived-image.ts";
import { attestedContent, readAttestation, subjectOf } from "../builds/attestation.ts";
import { bringBlob, type PushTarget } from "./push-layer.ts";
import { type KeptManifest, type ManifestPushOptions, pushBlobs } from "./push-manifest.ts";

export interface KeptIndex extends NamedBlob {
  index: Index;
}

const maxSources = 3;

/** The index that a tag stands for, if it stands for one. */
export function indexOf({ context }: Pick<PushTarget, "context">, reference: Reference): KeptIndex | undefined {
  const digest = context.store.targetOf(reference);
  const blob = digest === undefined ? undefined : readBlob(context, digest);
  if (!blob) return undefined;
  const parsed = parseManifest(blob.bytes);
  return "index" in parsed ? { ...blob, index: parsed.index } : undefined;
}

/** Brings everything but the index itself; returns the index to put. */
export async function pushIndexContent(
  target: PushTarget,
  kept: KeptIndex,
  options: ManifestPushOptions,
): Promise<NamedBlob> {
  const sources = sourcesOf(target, kept.digest);
  const entries: Descriptor[] = [];
  /** Manifests that were pushed as others, or not at all. */
  const moved = new Map<string, Digest | undefined>();
  for (const entry of kept.index.manifests) {
    const subject = subjectOf(entry);
    const about = subject !== undefined && moved.has(subject) ? moved.get(subject) : subject;
    const said = about === undefined ? undefined : await pushAttestation(target, entry, about, options.signal);
    // What others have said about a manifest that is another one now says nothing.
    if (!said && about !== subject) continue;
    const pushed = said ?? (await pushEntry(target, kept.digest, entry, sources, options));
    if (pushed) entries.push(pushed);
    if (pushed?.digest !== entry.digest) moved.set(entry.digest, pushed?.digest);
  }
  if (moved.size === 0) return kept;
  options.progress({
    status: `${entries.length} of the ${kept.index.manifests.length} manifests of ${kept.digest} could be pushed; some as others`,
  });
  const bytes = Buffer.from(JSON.stringify({ ...kept.index, mediaType: kept.mediaType, manifests: entries }));
  return { mediaType: kept.mediaType, bytes, digest: digestOf(bytes) };
}

/** What is said about the image of an index is here. */
export function isAttested({ context }: Pick<PushTarget, "context">, { index }: KeptIndex): boolean {
  return attestedContent(context.content, index).length > 0;
}

/** The entry of what is said about a manifest; undefined: it is not here. */
async function pushAttestation(
  { context, repository }: PushTarget,
  entry: Descriptor,
  subject: Digest,
  signal: AbortSignal,
): Promise<Descriptor | undefined> {
  const attestation = readAttestation(context.content, entry, subject);
  if (!attestation) return undefined;
  const manifest = attestation.blobs.at(-1) as NamedBlob;
  for (const { digest, bytes } of attestation.blobs.slice(0, -1)) {
    if (await repository.hasBlob(digest, signal)) continue;
    await repository.upload({ digest, size: bytes.length, open: (at) => once(bytes.subarray(at)) }, signal);
  }
  await repository.putManifest(manifest.digest, manifest.mediaType, manifest.bytes, signal);
  return attestation.entry;
}

/** True when the repository has the index with all that it names, without anything from here. */
export async function copyIndex(target: PushTarget, kept: KeptIndex, signal: AbortSignal): Promise<boolean> {
  const sources = sourcesOf(target, kept.digest);
  for (const { digest } of kept.index.manifests)
    if (!(await copyManifest(target, digest, sources, signal))) return false;
  return true;
}

async function pushEntry(
  target: PushTarget,
  top: Digest,
  entry: Descriptor,
  sources: string[],
  options: ManifestPushOptions,
): Promise<Descriptor | undefined> {
  const { context, repository } = target;
  const blob = readBlob(context, entry.digest);
  const image = context.store.manifests.of(top).find(({ digest }) => digest === entry.digest)?.image;
  const record = image === undefined ? undefined : context.store.find(image);
  const parsed = blob && parseManifest(blob.bytes);
  if (!record || !parsed || !("manifest" in parsed)) {
    return (await copyManifest(target, entry.digest, sources, options.signal)) ? entry : undefined;
  }
  const kept: KeptManifest = { ...blob, manifest: parsed.manifest };
  const { mediaType, digest, bytes } = await pushBlobs(target, record, options, kept);
  await repository.putManifest(digest, mediaType, bytes, options.signal);
  return digest === entry.digest ? entry : { ...entry, mediaType, digest, size: bytes.length };
}

/** Other repositories of the registry that the index was seen in. */
function sourcesOf({ context, name }: PushTarget, index: Digest): string[] {
  const domain = name.slice(0, name.indexOf("/") + 1);
  const names = context.store.repositoriesOf(index).filter((other) => other.startsWith(domain) && other !== name);
  return names.map((other) => other.slice(domain.length)).slice(0, maxSources);
}

/** Has the registry take a manifest and what it names over from one of its repositories. False: it cannot. */
async function copyManifest(
  target: PushTarget,
  digest: Digest,
  sources: string[],
  signal: AbortSignal,
): Promise<boolean> {
  const { repository } = target;
  if (await repository.hasManifest(digest, signal)) return true;
  for (const source of sources) {
    const found = await repository
      .beside(source)
      .manifest(digest, signal)
      .catch(() => undefined);
    if (!found) continue;
    const parsed = parseManifest(found.bytes);
    const content = "index" in parsed ? parsed.index.manifests : [parsed.manifest.config, ...parsed.manifest.layers];
    let complete = true;
    for (const item of content) complete &&= await copyItem(target, item, source, signal);
    if (!complete) continue;
    await repository.putManifest(digest, found.mediaType, found.bytes, signal);
    return true;
  }
  return false;
}

async function copyItem(target: PushTarget, item: Descriptor, source: string, signal: AbortSignal): Promise<boolean> {
  if (isIndexType(item.mediaType)) return false;
  if (await bringBlob(target, item.digest, () => {}, signal)) return true;
  return target.repository.mountBlob(item.digest, source, signal).catch(() => false);
}

function readBlob({ content }: PushTarget["context"], digest: Digest): NamedBlob | undefined {
  const found = content.find(digest);
  return found && { digest, mediaType: found.mediaType, bytes: content.read(digest) };
}
