/** Results dated to SOURCE_DATE_EPOCH. Source: moby/buildkit exporter/util/epoch; exporter/containerimage, `rewrite-timestamp`. */

import type { Exporter } from "../../buildkit-api/protocol/messages.ts";
import type { Digest } from "../../oci/digest.ts";
import type { ImageConfig } from "../../oci/image-config.ts";
import { atEpoch, type Epoch, parseEpoch } from "../epoch.ts";
import type { Built } from "../frontend/frontend.ts";
import type { BuiltResult } from "../frontend/platform-build.ts";
import type { ExportScope } from "./export.ts";

/** What the output says comes before what the build was given. */
export function epochOf({ Attrs }: Exporter, { results: [first] }: Pick<Built, "results">): Epoch {
  const own = Attrs["source-date-epoch"];
  return own === undefined ? first?.epoch : parseEpoch(own, "source-date-epoch");
}

/**
 * The config that the image gets. With `rewrite-timestamp` its layers are others than the build's, with no file later than the epoch; those
 * of the image that it began with stay. They have no owner until an image is made of them: `images.hold()` keeps them.
 */
export async function datedConfig(exporter: Exporter, result: BuiltResult, scope: ExportScope): Promise<ImageConfig> {
  const epoch = epochOf(exporter, { results: [result] });
  const config = atEpoch(result.config, epoch);
  if (exporter.Attrs["rewrite-timestamp"] !== "true" || epoch === undefined) return config;
  const { deps, signal } = scope;
  const layers = config.rootfs.diff_ids;
  const rewritten = layers.slice(0, result.baseLayers);
  for (let count = result.baseLayers + 1; count <= layers.length; count++) {
    const { diffId } = await deps.snapshots.retime(layers.slice(0, count), epoch, { signal });
    rewritten.push(diffId as Digest);
  }
  return { ...config, rootfs: { ...config.rootfs, diff_ids: rewritten } };
}
