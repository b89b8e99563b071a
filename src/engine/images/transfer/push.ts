/**
 * `docker push`, with dockerd's messages: an image as Docker's schema 2, byte for byte as dockerd writes it; a name of several
 * platforms as an index.
 */
import type { ProgressMessage } from "../../../api/system.ts";
import { EngineError, internal } from "../../../base/errors.ts";
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
import type { NamedBlob } from "../archive/archived-image.ts";
import type { ImageContext } from "../context.ts";
import type { ImageRecord } from "../image-record.ts";
import { resolveImage } from "../resolve.ts";
import { copyIndex, indexOf, isAttested, pushIndexContent } from "./push-index.ts";
import type { PushTarget } from "./push-layer.ts";
import { pushBlobs } from "./push-manifest.ts";

export interface PushOptions {
  /** Instead of one in the name; neither: all tags of the repository. */
  tag?: string | undefined;
  /** Only this platform, `os/architecture[/variant]`, as a single image. */
  platform?: string | undefined;
  credentials: Credentials;
  progress: (message: ProgressMessage) => void;
  signal: AbortSignal;
}

export async function pushImage(context: ImageContext, name: string, options: PushOptions): Promise<void> {
  const parsed = parseReference(name);
  const reference = options.tag ? withTag(parsed, options.tag) : parsed;
  const { progress, credentials, signal } = options;
  progress({ status: `The push refers to repository [${repositoryOf(reference)}]` });
  if (reference.digest !== undefined) throw internal("cannot push a digest reference");
  const images = imagesToPush(context, reference, options.platform);
  // What is being pushed must not be removed on the way.
  using _hold = context.collector.hold();
  try {
    await context.registries.visit(reference, "push", credentials, signal, async (repository) => {
      const target = { context, repository, name: repositoryOf(reference) };
      for (const [one, record] of images) await pushOne(target, one, record, options);
    });
  } catch (error) {
    throw error instanceof RegistryError ? new EngineError(error.kind, error.message, { cause: error }) : error;
  }
  const attributes = { name: familiarName(reference) };
  context.events.publish({ type: "image", action: "push", id: familiarString(reference), attributes });
}

function imagesToPush({ store }: ImageContext, reference: Reference, platform?: string): [Reference, ImageRecord][] {
  const tags = store.tagsOf(repositoryOf(reference));
  if (tags.length === 0) {
    throw internal(`An image does not exist locally with the tag: ${familiarName(reference)}`);
  }
  const wanted = reference.tag === undefined ? tags : tags.filter((tag) => tag.reference.tag === reference.tag);
  if (wanted.length === 0) throw internal(`tag does not exist: ${familiarString(reference)}`);
  return wanted.map(({ reference: one, image }) => [
    one,
    platform ? resolveImage(store, familiarString(one), platform) : store.get(image),
  ]);
}

async function pushOne(
  target: PushTarget,
  reference: Reference,
  record: ImageRecord,
  options: PushOptions,
): Promise<void> {
  const { context, repository } = target;
  const { progress, signal } = options;
  const kept = options.platform ? undefined : indexOf(target, reference);
  const several =
    kept !== undefined && (context.store.manifests.of(kept.digest).length > 1 || isAttested(target, kept));
  const tag = reference.tag ?? "";
  let pushed: NamedBlob;
  if (kept && several) pushed = await pushIndexContent(target, kept, options);
  else if (kept && (await copyIndex(target, kept, signal))) pushed = kept;
  else pushed = await pushBlobs(target, record, options);
  await repository.putManifest(tag, pushed.mediaType, pushed.bytes, signal);
  progress({ status: `${tag}: digest: ${pushed.digest} size: ${pushed.bytes.length}` });
  const aux = { Tag: tag, Digest: pushed.digest, Size: pushed.bytes.length };
  progress({ progressDetail: {}, aux });
  if (kept && !several && pushed !== kept) progress({ progressDetail: {}, aux: notTheIndex(kept, pushed) });
  await context.content.put(pushed.bytes, pushed.mediaType);
  // Another platform than the tag's stays without a name of its own.
  if (record.id === context.store.findByReference(reference))
    context.store.setReference(withDigest(reference, pushed.digest), record.id);
}

/** What Docker's clients since 27 tell their users by. */
function notTheIndex(kept: NamedBlob, pushed: NamedBlob): object {
  const describe = ({ mediaType, digest, bytes }: NamedBlob) => ({ mediaType, digest, size: bytes.length });
  return { manifestPushedInsteadOfIndex: true, originalIndex: describe(kept), selectedManifest: describe(pushed) };
}
