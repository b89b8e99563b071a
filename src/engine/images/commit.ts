/** `docker commit`: a container's layer on top of its image's becomes a new image. */
import type { ContainerConfig } from "../../api/container-config.ts";
import { nowRfc3339Nano } from "../../base/clock.ts";
import { notFound } from "../../base/errors.ts";
import type { Digest } from "../../oci/digest.ts";
import { type ImageConfig, toDockerRunConfig } from "../../oci/image-config.ts";
import type { Layer } from "../../snapshots/layer-store.ts";
import { applyChanges } from "./changes.ts";
import { createImage, type ImageContext, publishImageEvent, tagImage } from "./context.ts";
import { targetReference } from "./import.ts";
import { mergeRunConfig } from "./merge-run-config.ts";

export interface CommitRequest {
  /** The image that the container was created from. */
  parentImageId: Digest;
  /** Already in the layer store; the caller holds the collector (`Images.hold`) from before it was made. */
  layer: Layer;
  /** The config that the request brings (`commit --run`, a client's body); undefined: the container's. */
  config?: ContainerConfig | undefined;
  /** The container's own config. */
  containerConfig: ContainerConfig;
  containerId: string;
  author: string;
  comment: string;
  repo?: string | undefined;
  tag?: string | undefined;
  changes: string[];
}

/** A tar archive without entries: two zero blocks. It adds nothing, and an image has no layer of it. */
export const emptyLayer: Digest = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

/** What can be refused is refused here, before the container's layer is made. */
export function checkCommit(request: Pick<CommitRequest, "repo" | "tag" | "changes">): void {
  targetReference(request.repo, request.tag);
  applyChanges({}, request.changes);
}

/** Returns the new image's id. */
export async function commitImage(context: ImageContext, request: CommitRequest): Promise<Digest> {
  const reference = targetReference(request.repo, request.tag);
  // A request without a config, and one with an empty one, begin with the container's.
  const given = Object.keys(request.config ?? {}).length > 0 ? request.config : undefined;
  const changed = applyChanges(given ?? request.containerConfig, request.changes);
  const config = mergeRunConfig(changed, request.containerConfig);
  const parent = context.store.find(request.parentImageId);
  if (!parent) throw notFound(`No such image: ${request.parentImageId}`);
  const base = context.store.config(parent.id);
  const image = childConfig(base, config, request, context.version);
  const id = await createImage(context, image, { parent: parent.id });
  publishImageEvent(context, "create", id);
  if (reference) tagImage(context, reference, id, nowRfc3339Nano());
  context.collector.release([request.layer.diffId]);
  return id;
}

function childConfig(base: ImageConfig, config: ContainerConfig, request: CommitRequest, version: string): ImageConfig {
  const empty = request.layer.diffId === emptyLayer;
  const created = nowRfc3339Nano();
  const command = (request.containerConfig.Cmd ?? []).join(" ");
  const step = {
    created,
    ...(request.author && { author: request.author }),
    ...(command && { created_by: command }),
    ...(request.comment && { comment: request.comment }),
    ...(empty && { empty_layer: true }),
  };
  return {
    ...(base["os.version"] ? { "os.version": base["os.version"] } : {}),
    ...(base.variant ? { variant: base.variant } : {}),
    architecture: base.architecture || "amd64",
    ...(request.author && { author: request.author }),
    config: toDockerRunConfig(config),
    container: request.containerId,
    container_config: toDockerRunConfig(request.containerConfig),
    created,
    docker_version: version,
    history: [...(base.history ?? []), step],
    os: base.os || "linux",
    rootfs: { type: "layers", diff_ids: [...base.rootfs.diff_ids, ...(empty ? [] : [request.layer.diffId])] },
  };
}
