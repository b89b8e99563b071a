/** Images without a name here: caches of builds, looked at elsewhere layer by layer, and pushed from where no listing shows them. */
import { internal, notFound } from "../../../base/errors.ts";
import { shortId } from "../../../base/ids.ts";
import type { Digest } from "../../../oci/digest.ts";
import { maxConfigSize, parseImageConfig } from "../../../oci/image-config.ts";
import { parseManifest } from "../../../oci/manifest.ts";
import { hostPlatform } from "../../../oci/platform.ts";
import { familiarName, parseReference, repositoryOf, withDefaultTag } from "../../../oci/reference.ts";
import type { Credentials } from "../../../remote/auth.ts";
import type { BuiltIndex } from "../builds/oci-manifest.ts";
import type { ImageContext } from "../context.ts";
import { layerProgress } from "./progress.ts";
import { chooseManifest, inDockersWords } from "./pull.ts";
import { type KeptIndex, pushIndexContent } from "./push-index.ts";
import { pushBlobs } from "./push-manifest.ts";

export interface UnnamedOptions {
  credentials: Credentials;
  signal: AbortSignal;
}

export interface UnnamedPushOptions extends UnnamedOptions {
  /** What is pushed in the image's place: the index that it is in. */
  index?: BuiltIndex | undefined;
  /** The repository gets it without a tag. */
  byDigest?: boolean;
}

export interface OpenImage {
  config: Uint8Array;
  /** Brings these layers here; `hold` keeps them until something needs them. Rejects `not-found` for one that the image does not have. */
  fetch(layers: readonly Digest[]): Promise<void>;
}

/** An image's config, for this host's platform. Rejects as a pull. */
export async function openRemoteImage(
  context: ImageContext,
  name: string,
  { credentials, signal }: UnnamedOptions,
): Promise<OpenImage> {
  const reference = withDefaultTag(parseReference(name));
  try {
    return await context.registries.visit(reference, "pull", credentials, signal, async (repository) => {
      const top = await repository.manifest(reference.digest ?? reference.tag ?? "", signal);
      const { manifest } = await chooseManifest(context, repository, top, hostPlatform(), reference, signal);
      const config = await repository.blob(manifest.config.digest, maxConfigSize, signal);
      const { diff_ids: diffIds } = parseImageConfig(config).rootfs;
      return {
        config,
        async fetch(layers) {
          const missing = layers.filter((diffId) => !context.layers.has(diffId));
          await Promise.all(
            missing.map((diffId) => {
              const blob = manifest.layers[diffIds.indexOf(diffId)];
              if (!blob) throw notFound(`the image ${familiarName(reference)} has no layer ${diffId}`);
              const tell = layerProgress(() => {}, shortId(blob.digest));
              return context.downloads.fetch({ repository, ...blob, diffId }, tell, signal);
            }),
          );
        },
      };
    });
  } catch (error) {
    throw inDockersWords(error, reference);
  }
}

/** Pushes an image, or an index with all that is in it, under a name that it does not get here. Resolves with the digest that it has there. */
export async function pushUnnamed(
  context: ImageContext,
  id: Digest,
  name: string,
  { credentials, signal, index, byDigest }: UnnamedPushOptions,
): Promise<Digest> {
  const reference = withDefaultTag(parseReference(name));
  const record = context.store.get(id);
  using _hold = context.collector.hold();
  return await context.registries.visit(reference, "push", credentials, signal, async (repository) => {
    const target = { context, repository, name: repositoryOf(reference) };
    const options = { progress: () => {}, signal };
    const kept = index && keptIndex(index);
    const pushed = kept ? await pushIndexContent(target, kept, options) : await pushBlobs(target, record, options);
    await repository.putManifest(
      byDigest ? pushed.digest : (reference.tag ?? ""),
      pushed.mediaType,
      pushed.bytes,
      signal,
    );
    return pushed.digest;
  });
}

function keptIndex({ blob }: BuiltIndex): KeptIndex {
  const parsed = parseManifest(blob.bytes);
  if (!("index" in parsed)) throw internal(`${blob.digest} is not an index`);
  return { ...blob, index: parsed.index };
}
