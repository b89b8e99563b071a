/** `docker push`, with dockerd's messages: Docker's schema 2, byte for byte as dockerd writes it. */
import type { ProgressMessage } from "../../../api/system.ts";
import { internal } from "../../../base/errors.ts";
import { shortId } from "../../../base/ids.ts";
import type { Bytes } from "../../../base/streams.ts";
import { type Digest, digestOf } from "../../../oci/digest.ts";
import { type Descriptor, mediaTypes } from "../../../oci/manifest.ts";
import { formatPlatform, matchesPlatform, parsePlatform } from "../../../oci/platform.ts";
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
import type { Repository } from "../../../remote/repository.ts";
import type { ImageContext } from "../context.ts";
import { type ImageRecord, platformOf } from "../image-record.ts";
import type { LayerBlob } from "./layer-blobs.ts";
import { type Listener, layerProgress } from "./progress.ts";

export interface PushOptions {
  /** Instead of one in the name; neither: all tags of the repository. */
  tag?: string | undefined;
  /** `os/architecture[/variant]` that the image must have. */
  platform?: string | undefined;
  credentials: Credentials;
  progress: (message: ProgressMessage) => void;
  signal: AbortSignal;
}

/** How many remembered forms of a layer, and places to mount it from, are worth a question each. */
const maxQuestions = 3;

export async function pushImage(context: ImageContext, name: string, options: PushOptions): Promise<void> {
  const parsed = parseReference(name);
  const reference = options.tag ? withTag(parsed, options.tag) : parsed;
  if (reference.digest !== undefined) throw internal("cannot push a digest reference");
  const { progress, credentials, signal } = options;
  progress({ status: `The push refers to repository [${repositoryOf(reference)}]` });
  const images = imagesToPush(context, reference, options.platform);
  // What is being pushed must not be removed on the way.
  using _hold = context.collector.hold();
  try {
    await context.registries.visit(reference, "push", credentials, signal, async (repository) => {
      for (const [one, record] of images) await pushOne(context, repository, one, record, options);
    });
  } catch (error) {
    throw error instanceof RegistryError ? internal(error.message, { cause: error }) : error;
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
  for (const { image } of platform ? wanted : []) {
    const [asked, offered] = [parsePlatform(platform ?? ""), platformOf(store.config(image))];
    if (matchesPlatform(asked, offered)) continue;
    throw internal(
      `image with reference ${familiarString(reference)} was found but its platform (${formatPlatform(offered)}) does not match the specified platform (${formatPlatform(asked)})`,
    );
  }
  return wanted.map(({ reference: one, image }) => [one, store.get(image)]);
}

async function pushOne(
  context: ImageContext,
  repository: Repository,
  reference: Reference,
  record: ImageRecord,
  options: PushOptions,
): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  // dockerd goes from the top down.
  const order = [...new Set(record.layers)].reverse();
  const listeners = order.map((diffId) => layerProgress(options.progress, shortId(diffId)));
  for (const tell of listeners) tell({ status: "Preparing" });
  let blobs: LayerBlob[];
  try {
    blobs = await Promise.all(
      order.map((diffId, index) => {
        const push = new LayerPush(context, repository, repositoryOf(reference), listeners[index] as Listener, signal);
        return push.run(diffId);
      }),
    );
  } catch (error) {
    failed.abort();
    throw error;
  }
  const config = context.store.configBytes(record.id);
  if (!(await repository.hasBlob(record.id, signal))) {
    await repository.upload(
      { digest: record.id, size: config.length, open: (at) => once(config.subarray(at)) },
      signal,
    );
  }
  const layers = record.layers.map((diffId) => blobs[order.indexOf(diffId)] as LayerBlob);
  const manifest = encodeManifest({ digest: record.id, size: config.length }, layers);
  const tag = reference.tag ?? "";
  await repository.putManifest(tag, mediaTypes.dockerManifest, manifest, signal);
  const digest = digestOf(manifest);
  options.progress({ status: `${tag}: digest: ${digest} size: ${manifest.length}` });
  options.progress({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: manifest.length } });
  await context.content.put(manifest, mediaTypes.dockerManifest);
  context.store.setReference(withDigest(reference, digest), record.id);
}

async function* once(bytes: Uint8Array): Bytes & AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

/** As Go's `json.MarshalIndent(manifest, "", "   ")`, so that dockerd would give the same digest. */
function encodeManifest(config: LayerBlob, layers: LayerBlob[]): Uint8Array {
  const describe = (mediaType: string, { size, digest }: LayerBlob): Descriptor => ({ mediaType, size, digest });
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.dockerManifest,
    config: describe(mediaTypes.dockerConfig, config),
    layers: layers.map((layer) => describe(mediaTypes.dockerLayerGzip, layer)),
  };
  return Buffer.from(JSON.stringify(manifest, undefined, 3));
}

/** One layer to one repository. */
class LayerPush {
  private readonly context: ImageContext;
  private readonly repository: Repository;
  private readonly name: string;
  private readonly tell: Listener;
  private readonly signal: AbortSignal;

  constructor(context: ImageContext, repository: Repository, name: string, tell: Listener, signal: AbortSignal) {
    this.context = context;
    this.repository = repository;
    this.name = name;
    this.tell = tell;
    this.signal = signal;
  }

  async run(diffId: Digest): Promise<LayerBlob> {
    let started = false;
    const pushing = this.context.uploads.limit(async () => {
      started = true;
      this.signal.throwIfAborted();
      const blob = (await this.already(diffId)) ?? (await this.send(diffId));
      this.context.blobs.remember(diffId, blob, this.name);
      return blob;
    });
    if (!started) this.tell({ status: "Waiting" });
    return pushing;
  }

  /** A form of the layer that the registry has, in this repository or in another that it can be mounted from. */
  private async already(diffId: Digest): Promise<LayerBlob | undefined> {
    const { context, repository, signal } = this;
    for (const blob of context.blobs.of(diffId, this.name).slice(0, maxQuestions)) {
      if (await repository.hasBlob(blob.digest, signal)) {
        this.tell({ status: "Layer already exists" });
        return blob;
      }
      for (const source of context.blobs.sources(blob.digest, this.name).slice(0, maxQuestions)) {
        // A source that is gone or forbidden is only a shortcut that does not work.
        if (!(await repository.mountBlob(blob.digest, source, signal).catch(() => false))) continue;
        this.tell({ status: `Mounted from ${source}` });
        return blob;
      }
    }
    return undefined;
  }

  private async send(diffId: Digest): Promise<LayerBlob> {
    const { context, repository, signal, tell } = this;
    await using layer = await context.uploads.compress(diffId, signal);
    const blob = { digest: layer.digest, size: layer.size };
    if (await repository.hasBlob(blob.digest, signal)) {
      tell({ status: "Layer already exists" });
      return blob;
    }
    const counted = async function* (offset: number) {
      let current = offset;
      for await (const chunk of layer.open(offset)) {
        yield chunk;
        current += chunk.length;
        tell({ status: "Pushing", current, total: layer.size });
      }
    };
    await repository.upload({ ...blob, open: counted }, signal);
    tell({ status: "Pushed" });
    return blob;
  }
}
