/** `docker image inspect` and `docker history`. */
import type { ContainerConfig } from "../../api/container-config.ts";
import type { ImageHistoryItem, ImageInspect } from "../../api/images.ts";
import { fromRfc3339, zeroTime } from "../../base/clock.ts";
import { internal } from "../../base/errors.ts";
import { type ImageConfig, toDockerRunConfig } from "../../oci/image-config.ts";
import { familiarString } from "../../oci/reference.ts";
import type { ImageContext } from "./context.ts";
import type { ImageRecord } from "./image-record.ts";
import { manifestsOf } from "./manifest-list.ts";

export function inspectImage(
  context: ImageContext,
  record: ImageRecord,
  options: { manifests: boolean },
): ImageInspect {
  const config = context.store.config(record.id);
  const references = [...context.store.references(record.id), ...context.store.variantReferences(record.id)];
  return {
    Id: record.id,
    RepoTags: references.filter((name) => name.tag !== undefined).map(familiarString),
    RepoDigests: references.filter((name) => name.digest !== undefined).map(familiarString),
    Parent: record.parent ?? "",
    Comment: config.comment || config.history?.at(-1)?.comment || "",
    ...(config.created ? { Created: config.created } : {}),
    DockerVersion: config.docker_version ?? "",
    Author: config.author ?? "",
    Architecture: config.architecture ?? "",
    ...(config.variant ? { Variant: config.variant } : {}),
    Os: config.os || "linux",
    Size: record.size,
    GraphDriver: { Name: "overlay2", Data: graphData(context, record) },
    RootFS: { Type: "layers", ...(record.layers.length > 0 ? { Layers: record.layers } : {}) },
    Metadata: { LastTagTime: record.lastTagged ?? zeroTime },
    ...(options.manifests ? manifestsOf(context, record, references) : {}),
    Config: withoutEmptyFields(config.config ?? {}),
    ...legacyFields(config),
  };
}

/** What dockerd shows to clients older than API 1.45. */
function legacyFields(config: ImageConfig): Partial<ImageInspect> {
  if (config.container_config === undefined) return {};
  return { Container: config.container ?? "", ContainerConfig: toDockerRunConfig(config.container_config) };
}

function graphData(context: ImageContext, record: ImageRecord): Record<string, string> | null {
  const paths = record.layers.map((diffId) => context.layers.path(diffId));
  const top = paths.pop();
  if (top === undefined) return null;
  return { ...(paths.length > 0 ? { LowerDir: paths.reverse().join(":") } : {}), UpperDir: top };
}

/** The fields that an image's config has since API 1.50; those that hold nothing are left out. */
function withoutEmptyFields(config: ContainerConfig): ContainerConfig {
  const shown = [
    "ArgsEscaped",
    "Cmd",
    "Entrypoint",
    "Env",
    "ExposedPorts",
    "Healthcheck",
    "Labels",
    "OnBuild",
    "Shell",
    "StopSignal",
    "User",
    "Volumes",
    "WorkingDir",
  ] as const;
  const fields = shown.flatMap((key) => {
    const value = config[key];
    const empty = !value || (typeof value === "object" && Object.keys(value).length === 0);
    return empty ? [] : [[key, value]];
  });
  return Object.fromEntries(fields) as ContainerConfig;
}

/** Newest step first. Steps that were made here have the id and tags of their image; of others only the top one has. */
export function imageHistory(context: ImageContext, record: ImageRecord): ImageHistoryItem[] {
  const { store, layers } = context;
  const history = store.config(record.id).history ?? [];
  let layer = 0;
  const items: ImageHistoryItem[] = history.map((step) => {
    const diffId = step.empty_layer ? undefined : record.layers[layer++];
    if (diffId === undefined && !step.empty_layer) throw internal("too many non-empty layers in History section");
    return {
      Id: "<missing>",
      Created: Number((fromRfc3339(step.created ?? zeroTime) ?? 0n) / 1_000_000_000n),
      CreatedBy: step.created_by ?? "",
      Tags: null,
      Size: diffId === undefined ? 0 : layers.get(diffId).size,
      Comment: step.comment ?? "",
    };
  });
  items.reverse();
  let image: ImageRecord | undefined = record;
  for (const item of items) {
    if (!image) break;
    item.Id = image.id;
    const tags = store.references(image.id).filter((name) => name.tag !== undefined);
    item.Tags = tags.length > 0 ? tags.map(familiarString) : null;
    image = image.parent === undefined ? undefined : store.find(image.parent);
  }
  return items;
}
