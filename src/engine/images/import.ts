/** `docker import`: one layer from a tar archive, which becomes an image of its own. */
import type { ProgressMessage } from "../../api/system.ts";
import { nowRfc3339Nano } from "../../base/clock.ts";
import { internal, invalidArgument } from "../../base/errors.ts";
import { type Bytes, bodyOf } from "../../base/streams.ts";
import { type ImageConfig, toDockerRunConfig } from "../../oci/image-config.ts";
import { hostPlatform, parsePlatform } from "../../oci/platform.ts";
import { familiarName, parseReference, type Reference, withDefaultTag, withTag } from "../../oci/reference.ts";
import { connectionProblem } from "../../remote/connection-problem.ts";
import { applyChanges } from "./changes.ts";
import { createImage, type ImageContext, publishImageEvent, tagImage } from "./context.ts";

export interface ImportOptions {
  repo?: string | undefined;
  tag?: string | undefined;
  message: string;
  changes: string[];
  platform?: string | undefined;
  progress: (message: ProgressMessage) => void;
  signal: AbortSignal;
}

/** `source` is `-`, for the body, or a URL. Everything but the archive is checked before it is read. */
export async function importImage(
  context: ImageContext,
  source: string,
  body: Bytes,
  options: ImportOptions,
): Promise<void> {
  const reference = targetReference(options.repo, options.tag);
  const config = toDockerRunConfig(applyChanges({}, options.changes));
  const platform = options.platform ? parsePlatform(options.platform) : hostPlatform();
  if (platform.os !== "linux") throw invalidArgument("operating system is not supported");
  using _hold = context.collector.hold();
  const archive = source === "-" ? body : await download(source, options);
  const layer = await context.layers.unpack(archive, { signal: options.signal });
  try {
    const created = nowRfc3339Nano();
    const comment = options.message || `Imported from ${source}`;
    const image: ImageConfig = {
      architecture: platform.architecture,
      comment,
      config,
      container_config: toDockerRunConfig({}),
      created,
      docker_version: context.version,
      history: [{ created, comment }],
      os: platform.os,
      rootfs: { type: "layers", diff_ids: [layer.diffId] },
      ...(platform.variant ? { variant: platform.variant } : {}),
    };
    const id = await createImage(context, image);
    if (reference) tagImage(context, reference, id, nowRfc3339Nano());
    publishImageEvent(context, "import", id);
    options.progress({ status: id });
  } finally {
    context.collector.release([layer.diffId]);
  }
}

/** The name that a new image gets. Throws `invalid-argument`; a digest is not a name to give. */
export function targetReference(repo: string | undefined, tag: string | undefined): Reference | undefined {
  if (!repo) return undefined;
  const reference = parseReference(repo);
  if (reference.digest !== undefined) throw invalidArgument("cannot import digest reference");
  if (familiarName(reference) === "sha256") {
    throw invalidArgument("refusing to create an ambiguous tag using digest algorithm as name");
  }
  return tag ? withTag(reference, tag) : withDefaultTag(reference);
}

async function download(source: string, options: ImportOptions): Promise<Bytes> {
  const url = /^https?:\/\//.test(source) ? source : `http://${source}`;
  let response: Response;
  try {
    response = await fetch(url, { signal: options.signal });
  } catch (error) {
    throw internal(`Get ${JSON.stringify(url)}: ${connectionProblem(error, url)}`, { cause: error });
  }
  if (!response.ok) throw internal(`Got HTTP status code >= 400: ${response.status} ${response.statusText}`.trim());
  options.progress({ status: `Downloading from ${url}` });
  return bodyOf(response);
}
