/** `docker load`: images from an archive, taken in while it streams in. */
import type { ProgressMessage } from "../../../api/system.ts";
import { invalidArgument, notFound } from "../../../base/errors.ts";
import { shortId } from "../../../base/ids.ts";
import type { Bytes } from "../../../base/streams.ts";
import { type Digest, digestOf } from "../../../oci/digest.ts";
import { parseImageConfig } from "../../../oci/image-config.ts";
import { formatPlatform, matchesPlatform, type Platform, parsePlatform } from "../../../oci/platform.ts";
import { familiarString } from "../../../oci/reference.ts";
import type { Layer } from "../../../snapshots/layer-store.ts";
import { type ImageContext, publishImageEvent } from "../context.ts";
import { platformOf, toRecord } from "../image-record.ts";
import type { ArchivedImage } from "./archived-image.ts";
import { ArchiveContents, type LayerProgress } from "./contents.ts";
import { decompressed } from "./decompress.ts";
import { describeArchive } from "./describe.ts";
import { legacyConfig } from "./legacy.ts";
import { Spool } from "./spool.ts";

export interface LoadOptions {
  quiet: boolean;
  /** Only this platform. */
  platform?: string | undefined;
  progress: (message: ProgressMessage) => void;
  signal: AbortSignal;
}

const progressEveryMillis = 100;

/** Rejects `invalid-argument` for a bad archive; images that came before the bad one stay, as with dockerd. */
export async function loadImages(context: ImageContext, archive: Bytes, options: LoadOptions): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  using _hold = context.collector.hold();
  await using spool = new Spool(context.spoolDirectory);
  const contents = new ArchiveContents();
  try {
    const progress = options.quiet ? () => {} : layerProgress(options.progress);
    await contents.takeIn(await decompressed(archive, signal), { layers: context.layers, spool, progress, signal });
    const loaded: { image: ArchivedImage; id: string }[] = [];
    const wanted = options.platform ? parsePlatform(options.platform) : undefined;
    for (const image of describeArchive(contents, wanted)) {
      checkPlatform(image, wanted);
      loaded.push({ image, id: await storeImage(context, contents, image, options) });
    }
    for (const { image, id } of loaded) {
      if (image.parent && context.store.find(image.parent)) context.store.update(id, { parent: image.parent });
    }
  } catch (error) {
    failed.abort();
    throw error;
  } finally {
    // What no image refers to goes, when the hold ends.
    context.collector.release(await contents.unpacked());
  }
}

async function storeImage(
  context: ImageContext,
  contents: ArchiveContents,
  image: ArchivedImage,
  options: LoadOptions,
): Promise<string> {
  const layers = await Promise.all(image.layers.map((name) => contents.layer(name)));
  const diffIds = layers.map((layer) => layer.diffId);
  const bytes = "bytes" in image.config ? image.config.bytes : legacyConfig(image.config.chain, diffIds);
  const config = parseImageConfig(bytes);
  if (config.os && config.os !== "linux") throw invalidArgument(`cannot load ${config.os} image on linux`);
  checkLayers(config.rootfs.diff_ids, layers);
  const id = digestOf(bytes);
  const size = layers.reduce((sum, layer) => sum + layer.size, 0);
  await context.store.create(toRecord(id, config, size), bytes);
  const say = (line: string) => options.progress({ stream: `${line}\n` });
  const target = await storeTargets(context, image, id);
  for (const tag of image.tags) {
    const name = familiarString(tag);
    const previous = context.store.setReference(tag, id, target);
    if (previous) say(`The image ${name} already exists, renaming the old one with ID ${previous} to empty string`);
    say(`Loaded image: ${name}`);
  }
  if (image.tags.length === 0 && !image.variant) say(`Loaded image ID: ${id}`);
  publishImageEvent(context, "load", id);
  return id;
}

/** Keeps the indexes that name the image; returns the one that its tags stand for. */
async function storeTargets(
  context: ImageContext,
  { targets = [] }: ArchivedImage,
  id: Digest,
): Promise<Digest | undefined> {
  for (const { top, manifest } of targets) {
    for (const { bytes, mediaType } of [top, manifest]) await context.content.put(bytes, mediaType);
    context.store.manifests.add(top.digest, { digest: manifest.digest, image: id });
  }
  return targets[0]?.top.digest;
}

function checkPlatform({ config }: ArchivedImage, wanted: Platform | undefined): void {
  if (!wanted || !("bytes" in config)) return;
  const offered = platformOf(parseImageConfig(config.bytes));
  if (matchesPlatform(wanted, offered)) return;
  throw notFound(
    `requested platform (${formatPlatform(wanted)}) is not in the archive: the image's is ${formatPlatform(offered)}`,
  );
}

function checkLayers(expected: string[], layers: Layer[]): void {
  if (expected.length !== layers.length) {
    throw invalidArgument(
      `invalid manifest, layers length mismatch: expected ${expected.length}, got ${layers.length}`,
    );
  }
  for (const [index, layer] of layers.entries()) {
    if (layer.diffId === expected[index]) continue;
    throw invalidArgument(`invalid diffID for layer ${index}: expected "${expected[index]}", got "${layer.diffId}"`);
  }
}

/** dockerd's `Loading layer` messages, a few a second; the last one of each layer is always sent. */
function layerProgress(send: LoadOptions["progress"]): LayerProgress {
  let last = 0;
  return (name, current, total) => {
    const now = Date.now();
    if (current < total && now - last < progressEveryMillis) return;
    last = now;
    const id = shortId(/[a-f0-9]{64}/.exec(name)?.[0] ?? name);
    send({ status: "Loading layer", id, progressDetail: { current, total } });
  };
}
