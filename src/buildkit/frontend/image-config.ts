/** The config of the image that a build ends with. Source: moby/buildkit exporter/containerimage/writer.go; docker_image.go. */
import type { StageState } from "../../builder/stage-build.ts";
import type { Digest } from "../../oci/digest.ts";
import type { ImageConfig, ImageHistory, ImageRunConfig } from "../../oci/image-config.ts";
import type { Platform } from "../../oci/platform.ts";

/** `epoch`: seconds since 1970 that stand for every time this build adds (SOURCE_DATE_EPOCH). */
export function imageConfigOf(
  state: StageState,
  { layers, platform, epoch }: { layers: readonly Digest[]; platform: Platform; epoch: number | undefined },
): ImageConfig {
  const history = withTimes(state.history, epoch);
  const created = history.findLast((entry) => entry.created)?.created ?? epochTime(epoch);
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
function withTimes(history: readonly ImageHistory[], epoch: number | undefined): ImageHistory[] {
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
    if (epoch !== undefined && Date.parse(entry.created) > epoch * 1000) entry.created = epochTime(epoch) as string;
  }
  return entries;
}

function epochTime(epoch: number | undefined): string | undefined {
  return epoch === undefined ? undefined : new Date(epoch * 1000).toISOString().replace(".000Z", "Z");
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
