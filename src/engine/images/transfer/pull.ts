/** `docker pull`, with dockerd's messages and errors. */
import type { ProgressMessage } from "../../../api/system.ts";
import { EngineError, errorKind, forbidden, invalidArgument, isDiskFull, notFound } from "../../../base/errors.ts";
import { shortId } from "../../../base/ids.ts";
import type { ContentStore } from "../../../content/content.ts";
import { type Digest, isDigest } from "../../../oci/digest.ts";
import { type ImageConfig, maxConfigSize, parseImageConfig } from "../../../oci/image-config.ts";
import {
  type Descriptor,
  type Index,
  isIndexType,
  type Manifest,
  mediaTypes,
  parseManifest,
} from "../../../oci/manifest.ts";
import { formatPlatform, hostPlatform, matchesPlatform, type Platform, parsePlatform } from "../../../oci/platform.ts";
import {
  familiarName,
  familiarString,
  parseReference,
  type Reference,
  repositoryOf,
  withDigest,
  withTag,
} from "../../../oci/reference.ts";
import type { Credentials } from "../../../remote/auth.ts";
import { RegistryError } from "../../../remote/registry-error.ts";
import { isTransient, type RemoteManifest, type Repository } from "../../../remote/repository.ts";
import type { Layer } from "../../../snapshots/layer-store.ts";
import type { ImageContext } from "../context.ts";
import { platformOf, toRecord } from "../image-record.ts";
import type { LayerRequest } from "./downloads.ts";
import { layerProgress } from "./progress.ts";

export interface PullOptions {
  /** A tag or digest, instead of one in the name. */
  tag?: string | undefined;
  platform?: string | undefined;
  credentials: Credentials;
  progress: (message: ProgressMessage) => void;
  signal: AbortSignal;
}

const maxIndexDepth = 4;
const layerType =
  /^application\/vnd\.(oci\.image\.layer(\.nondistributable)?\.v1\.tar|docker\.image\.rootfs(\.foreign)?\.diff\.tar)([.+](gzip|zstd))?$/;
const schema1 = /^application\/(vnd\.docker\.distribution\.manifest\.v1\+(prettyjws|json)|json)$/;

/** Rejects `not-found` for what the registry does not have. What was downloaded when it fails stays for the next pull. */
export async function pullImage(context: ImageContext, name: string, options: PullOptions): Promise<void> {
  const reference = pullReference(name, options.tag);
  if (options.platform) parsePlatform(options.platform);
  const { credentials, signal } = options;
  try {
    await context.registries.visit(reference, "pull", credentials, signal, (repository) =>
      pullFrom(context, repository, reference, options),
    );
  } catch (error) {
    throw inDockersWords(error, reference);
  }
  const id = context.store.findByReference(reference);
  const labels = id && context.store.find(id) ? context.store.config(id).config?.Labels : undefined;
  const attributes = { ...labels, name: familiarName(reference) };
  context.events.publish({ type: "image", action: "pull", id: familiarString(reference), attributes });
}

function pullReference(name: string, tag: string | undefined): Reference {
  const parsed = parseReference(name);
  const reference = !tag ? parsed : isDigest(tag) ? withDigest(parsed, tag) : withTag(parsed, tag);
  if (familiarName(reference) === "scratch") throw forbidden("'scratch' is a reserved name");
  return reference;
}

async function pullFrom(
  context: ImageContext,
  repository: Repository,
  reference: Reference,
  options: PullOptions,
): Promise<void> {
  const all = reference.tag === undefined && reference.digest === undefined;
  const tags = all ? await repository.tags(options.signal) : [];
  const wanted = all ? tags.map((tag) => withTag(reference, tag)) : [reference];
  let newer = false;
  for (const one of wanted) newer = (await pullOne(context, repository, one, options)) || newer;
  const status = newer ? "Downloaded newer image" : "Image is up to date";
  options.progress({ status: `Status: ${status} for ${familiarString(reference)}` });
}

/** Returns whether the name means another image than before. */
async function pullOne(
  context: ImageContext,
  repository: Repository,
  reference: Reference,
  options: PullOptions,
): Promise<boolean> {
  const { progress, signal, platform } = options;
  const top = await topManifest(context, repository, reference, signal).catch((error: unknown) => {
    throw inDockersWords(error, reference);
  });
  // What is no manifest at all is said before anything is begun.
  if (!schema1.test(top.mediaType)) parseManifest(top.bytes);
  // As dockerd: a tag alone, a digest with its name.
  const shown = reference.digest === undefined ? (reference.tag ?? "") : familiarString(reference);
  progress({ status: `Pulling from ${repository.name}`, id: shown });
  using _hold = context.collector.hold();
  const target = platform ? parsePlatform(platform) : hostPlatform();
  const { found, manifest } = await chooseManifest(context, repository, top, target, reference, signal);
  const id = manifest.config.digest;
  if (!context.store.find(id)) await fetchImage(context, repository, manifest, reference, options);
  // Beside the names: whoever asks for the manifest gets the very bytes that the digest names.
  for (const { bytes, mediaType } of [top, found]) await context.content.put(bytes, mediaType);
  progress({ status: `Digest: ${top.digest}` });
  const before = context.store.findByReference(reference);
  context.store.manifests.add(top.digest, { digest: found.digest, image: id });
  context.store.setReference(withDigest(reference, top.digest), id);
  if (reference.digest === undefined) context.store.setReference(reference, id, top.digest);
  if (platform) warnOfPlatform(context, id, reference, target, progress);
  return before !== id;
}

/** Not asked for again where it is here: registries that count pulls count that alone. */
async function topManifest(
  { content }: ImageContext,
  repository: Repository,
  { tag, digest: given }: Reference,
  signal: AbortSignal,
): Promise<RemoteManifest> {
  const digest = given ?? (await repository.resolve(tag ?? "", signal));
  return digest === undefined ? repository.manifest(tag ?? "", signal) : keptOr(content, repository, digest, signal);
}

async function keptOr(
  content: ContentStore,
  repository: Repository,
  digest: Digest,
  signal: AbortSignal,
): Promise<RemoteManifest> {
  const known = content.find(digest);
  return known ? { ...known, bytes: content.read(digest) } : repository.manifest(digest, signal);
}

function warnOfPlatform(
  context: ImageContext,
  id: Digest,
  reference: Reference,
  wanted: Platform,
  progress: PullOptions["progress"],
): void {
  const offered = platformOf(context.store.config(id));
  if (matchesPlatform(wanted, offered)) return;
  const [has, not] = [formatPlatform(offered), formatPlatform(wanted)];
  progress({
    status: `WARNING: image with reference ${familiarString(reference)} was found but its platform (${has}) does not match the specified platform (${not})`,
  });
}

/** Of an index, the manifest for the platform. */
export async function chooseManifest(
  context: ImageContext,
  repository: Repository,
  top: RemoteManifest,
  platform: Platform,
  reference: Reference,
  signal: AbortSignal,
): Promise<{ found: RemoteManifest; manifest: Manifest }> {
  const supported = (manifest: RemoteManifest) => {
    if (schema1.test(manifest.mediaType)) throw schema1Removed(reference);
    return manifest;
  };
  const read = async (digest: Digest) => supported(await keptOr(context.content, repository, digest, signal));
  const { found, manifest } = await descend(supported(top), platform, read);
  return { found, manifest: checked(manifest) };
}

/** From what a name stands for to the manifest for a platform; `read` brings what an index names. Rejects `not-found`. */
export async function descend<T extends { bytes: Uint8Array }>(
  top: T,
  platform: Platform,
  read: (digest: Digest) => Promise<T>,
): Promise<{ found: T; manifest: Manifest }> {
  let found = top;
  for (let depth = 0; depth < maxIndexDepth; depth++) {
    const parsed = parseManifest(found.bytes);
    if ("manifest" in parsed) return { found, manifest: parsed.manifest };
    found = await read(chooseEntry(parsed.index, platform).digest);
  }
  throw invalidArgument(`indexes are nested more than ${maxIndexDepth} deep`);
}

/** Of an index, the manifest (or the index of manifests) for a platform. Throws `not-found`. */
function chooseEntry({ manifests }: Index, platform: Platform): Descriptor {
  const suitable = manifests.filter((item) =>
    item.platform ? matchesPlatform(platform, item.platform) : isIndexType(item.mediaType),
  );
  const exact = suitable.find((item) => item.platform?.variant === platform.variant);
  const chosen = exact ?? suitable[0];
  if (chosen) return chosen;
  throw notFound(`no matching manifest for ${formatPlatform(platform)} in the manifest list entries`);
}

function checked(manifest: Manifest): Manifest {
  const { mediaType } = manifest.config;
  const known: string[] = [mediaTypes.dockerConfig, mediaTypes.ociConfig, "application/octet-stream", ""];
  const strange = manifest.layers.find((layer) => !layerType.test(layer.mediaType));
  if (known.includes(mediaType) && strange) throw unsupportedType(strange.mediaType);
  if (known.includes(mediaType)) return manifest;
  if (mediaType === "application/vnd.docker.plugin.v1+json")
    throw invalidArgument(`Encountered remote ${JSON.stringify(mediaType)}(plugin) when fetching`);
  throw unsupportedType(mediaType);
}

function unsupportedType(mediaType: string): Error {
  return invalidArgument(`unsupported media type ${mediaType}`);
}

function schema1Removed(reference: Reference): Error {
  return invalidArgument(
    `Docker Image Format v1 and Docker Image manifest version 2, schema 1 support has been removed. Suggest the author of ${familiarString(reference)} to upgrade the image to the OCI Format or Docker Image manifest v2, schema 2. More information at https://docs.docker.com/go/deprecated-image-specs/`,
  );
}

/** Config and layers; the image is recorded when all of them are here. */
async function fetchImage(
  context: ImageContext,
  repository: Repository,
  manifest: Manifest,
  reference: Reference,
  options: PullOptions,
): Promise<void> {
  const id = manifest.config.digest;
  const bytes = await repository.blob(id, maxConfigSize, options.signal).catch((error: unknown) => {
    throw ofConfig(error);
  });
  const config = parseImageConfig(bytes);
  if (config.os && config.os !== "linux") {
    throw invalidArgument(
      `image operating system ${JSON.stringify(config.os)} cannot be used on this platform: operating system is not supported`,
    );
  }
  const size = await fetchLayers(context, repository, manifest, config, options);
  await context.store.create(toRecord(id, config, size), bytes);
  context.leases.release(config.rootfs.diff_ids);
  // A mirror's repositories cannot be mounted from: what counts is the registry of the name.
  for (const [index, { digest, size: blobSize, mediaType }] of manifest.layers.entries()) {
    const blob = { digest, size: blobSize };
    if (mediaType.endsWith("gzip"))
      context.blobs.remember(config.rootfs.diff_ids[index] as Digest, blob, repositoryOf(reference));
  }
}

function ofConfig(error: unknown): unknown {
  if (!(error instanceof EngineError) || error.kind === "canceled") return error;
  const attempts = error instanceof RegistryError ? "download failed after attempts=1: " : "";
  return new EngineError(error.kind, `error pulling image configuration: ${attempts}${error.message}`, {
    cause: error,
  });
}

async function fetchLayers(
  context: ImageContext,
  repository: Repository,
  manifest: Manifest,
  config: ImageConfig,
  options: PullOptions,
): Promise<number> {
  const diffIds = config.rootfs.diff_ids;
  if (diffIds.length !== manifest.layers.length) {
    throw invalidArgument("layers from manifest don't match image configuration");
  }
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const requests = manifest.layers.map(({ digest, size }, index) => ({
    repository,
    digest,
    size,
    diffId: diffIds[index] as Digest,
  }));
  const fetching = requests.map((request) => fetchLayer(context, request, options.progress, signal));
  try {
    return (await Promise.all(fetching)).reduce((sum, layer) => sum + layer.size, 0);
  } catch (error) {
    failed.abort();
    await Promise.allSettled(fetching);
    if (!isWorthGoingOn(error, options.signal)) context.leases.release(diffIds);
    // The disk has no room for what may be wanted later.
    if (isDiskFull(error)) await Promise.all(requests.map((request) => context.downloads.abandon(request)));
    throw error;
  } finally {
    context.collector.release(diffIds);
  }
}

async function fetchLayer(
  context: ImageContext,
  request: LayerRequest,
  send: PullOptions["progress"],
  signal: AbortSignal,
): Promise<Layer> {
  const { digest, diffId } = request;
  const tell = layerProgress(send, shortId(digest));
  if (context.layers.has(diffId)) {
    tell({ status: "Already exists" });
    return context.layers.get(diffId);
  }
  tell({ status: "Pulling fs layer" });
  context.leases.take(diffId);
  return context.downloads.fetch(request, tell, signal);
}

/** What was broken off from outside may be taken up again; what is wrong in itself, or has no room, will not be better for it. */
function isWorthGoingOn(error: unknown, signal: AbortSignal): boolean {
  if (signal.aborted) return true;
  if (isDiskFull(error)) return false;
  return isTransient(error) || errorKind(error) === "unavailable";
}

/** dockerd's `translatePullError`. */
export function inDockersWords(error: unknown, reference: Reference): unknown {
  if (!(error instanceof RegistryError)) return error;
  const { message: cause, code, kind, bare } = error;
  const name = familiarName(reference);
  if (bare) return new EngineError(kind, cause, { cause: error });
  if (code === "DENIED") {
    return notFound(
      `pull access denied for ${name}, repository does not exist or may require 'docker login': ${cause}`,
      { cause: error },
    );
  }
  if (code === "MANIFEST_UNKNOWN") {
    return notFound(`manifest for ${familiarString(reference)} not found: ${cause}`, { cause: error });
  }
  if (code === "NAME_UNKNOWN") return notFound(`repository ${name} not found: ${cause}`, { cause: error });
  return new EngineError(kind, cause, { cause: error });
}
