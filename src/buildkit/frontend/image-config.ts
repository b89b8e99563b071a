/** The config of the image that a build ends with. Source: moby/buildkit exporter/containerimage/writer.go; docker_image.go. */
import type { StageState } from "../../builder/stage-build.ts";
import type { Digest } from "../../oci/digest.ts";
import type { ImageConfig, ImageHistory, ImageRunConfig } from "../../oci/image-config.ts";
import type { Platform } from "../../oci/platform.ts";

export function imageConfigOf(
  state: StageState,
  { layers, platform }: { layers: readonly Digest[]; platform: Platform },
): ImageConfig {
  const history = withTimes(state.history);
  const created = history.findLast((entry) => entry.created)?.created;
  const variant = state.variant ?? platform.variant;
  return {
    architecture: platform.architecture,
    ...(state.author && { author: state.author }),
    config: compact(state.run.config as ImageRunConfig),
    ...(created && { created }),
    history,
    os: platform.os,
    ...(variant && { variant }),
    rootfs: { type: "layers", diff_ids: [...layers] },
  };
}

/** Entries of steps that changed no file get the time of the first new layer, or of the layer before. */
function withTimes(history: readonly ImageHistory[]): ImageHistory[] {
  const entries = history.map((entry) => ({ ...entry }));
  const firstNew = entries.findIndex(({ created }) => !created);
  const next = firstNew < 0 ? undefined : entries.slice(firstNew).find(({ created }) => created);
  let last = next?.created ?? entries.findLast(({ created }) => created)?.created ?? new Date().toISOString();
  let seen = false;
  for (const entry of entries) {
    if (entry.created) {
      if (seen) last = entry.created;
    } else {
      seen = true;
      entry.created = last;
    }
  }
  return entries;
}

/** Without what says nothing. */
function compact(config: ImageRunConfig): ImageRunConfig {
  const says = (value: unknown) =>
    value !== null &&
    value !== undefined &&
    value !== "" &&
    value !== false &&
    !(Array.isArray(value) && value.length === 0) &&
    !(typeof value === "object" && !Array.isArray(value) && Object.keys(value).length === 0);
  return Object.fromEntries(Object.entries(config).filter(([, value]) => says(value))) as ImageRunConfig;
}
