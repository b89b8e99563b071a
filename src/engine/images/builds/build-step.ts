/** A step of a build: an image on top of another one, with a layer or without. Its record keeps the parent, as the classic builder's. */
import type { ContainerConfig } from "../../../api/container-config.ts";
import { nowRfc3339Nano } from "../../../base/clock.ts";
import { notFound } from "../../../base/errors.ts";
import type { Digest } from "../../../oci/digest.ts";
import { type ImageConfig, type ImageHistory, toDockerRunConfig } from "../../../oci/image-config.ts";
import type { Platform } from "../../../oci/platform.ts";
import type { Layer } from "../../../snapshots/layer-store.ts";
import { emptyLayer } from "../commit.ts";
import { createImage, type ImageContext, publishImageEvent } from "../context.ts";

export interface BuildStepRequest {
  /** Undefined: the first step after `FROM scratch`. */
  parent: Digest | undefined;
  /** Already in the layer store, under a hold (`Images.hold`); undefined: the step changes the config alone. */
  layer?: Pick<Layer, "diffId"> | undefined;
  config: ContainerConfig;
  /** What the step ran or, as a comment, did: `docker history` shows its Cmd. */
  containerConfig: ContainerConfig;
  author: string;
  platform: Platform;
  /** The step as another image's history has it, for one that is taken over from there; undefined: it is done now. */
  history?: ImageHistory | undefined;
}

/** Returns the new image's id. */
export async function createBuildStep(context: ImageContext, request: BuildStepRequest): Promise<Digest> {
  const { parent, layer } = request;
  if (parent !== undefined && !context.store.find(parent)) throw notFound(`No such image: ${parent}`);
  const base = parent === undefined ? undefined : context.store.config(parent);
  const image = stepConfig(base, request);
  const id = await createImage(context, image, { parent });
  if (layer) context.collector.release([layer.diffId]);
  if (isCommit(request)) publishImageEvent(context, "create", id);
  return id;
}

/** dockerd's builder makes a container and commits it, which is an event, but for copies and for what it finds in its cache. */
function isCommit({ history, containerConfig }: BuildStepRequest): boolean {
  return history === undefined && !/#\(nop\) (COPY|ADD) /.test((containerConfig.Cmd ?? []).join(" "));
}

function stepConfig(base: ImageConfig | undefined, request: BuildStepRequest): ImageConfig {
  const { layer, author, platform, containerConfig } = request;
  const created = request.history?.created ?? nowRfc3339Nano();
  const isEmpty = layer === undefined || layer.diffId === emptyLayer;
  const step = {
    created,
    ...(author && { author }),
    created_by: (containerConfig.Cmd ?? []).join(" "),
    ...(isEmpty && { empty_layer: true }),
  };
  return {
    ...(base?.["os.version"] ? { "os.version": base["os.version"] } : {}),
    ...((base?.variant ?? platform.variant) ? { variant: (base?.variant ?? platform.variant) as string } : {}),
    architecture: base?.architecture || platform.architecture,
    ...(author && { author }),
    config: toDockerRunConfig(request.config),
    container_config: toDockerRunConfig(containerConfig),
    created,
    history: [...(base?.history ?? []), request.history ?? step],
    os: base?.os || platform.os,
    rootfs: { type: "layers", diff_ids: [...(base?.rootfs.diff_ids ?? []), ...(isEmpty ? [] : [layer.diffId])] },
  };
}
