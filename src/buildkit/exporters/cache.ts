/** What a build leaves for other daemons: `--cache-to`. Source: Docker's documentation, "Cache storage backends". */
import { invalidArgument, notImplemented } from "../../base/errors.ts";
import { cacheField, encodeCache, type ReachedStep } from "../../builder/cache/cache-manifest.ts";
import type { CacheOptionsEntry } from "../../buildkit-api/protocol/messages.ts";
import type { Digest } from "../../oci/digest.ts";
import type { ImageConfig } from "../../oci/image-config.ts";
import { hostPlatform } from "../../oci/platform.ts";
import { parseReference } from "../../oci/reference.ts";
import type { Built } from "../frontend/frontend.ts";
import { credentialsOf } from "../session/services.ts";
import type { ExportScope } from "./export.ts";

/** Throws for caches that nobody writes: before anything is built. */
export function checkCacheExport({ Type, Attrs }: CacheOptionsEntry): void {
  if (Type !== "inline" && Type !== "registry") throw notImplemented(`cache export to ${Type} is not supported`);
  const known: Record<string, RegExp> =
    Type === "inline"
      ? {}
      : { ref: /./, mode: /^(min|max)$/, "image-manifest": /^(true|1)$/, "ignore-error": /^(true|false|1|0)$/ };
  for (const [name, value] of Object.entries(Attrs)) {
    if (!known[name]?.test(value))
      throw notImplemented(`the option ${name}=${value} of ${Type} caches is not supported`);
  }
  if (Type === "inline") return;
  if (!Attrs["ref"]) throw invalidArgument("registry cache exporter requires ref");
  parseReference(Attrs["ref"]);
}

/** The images' own steps, in their configs. */
export function withInlineCache(built: Built): Built {
  const results = built.results.map((result) => {
    const { config, steps } = result;
    const { diff_ids: layers } = config.rootfs;
    return { ...result, config: { ...config, [cacheField]: encodeCache(own(steps, layers), layers) } };
  });
  return { ...built, results };
}

/** Pushes the steps as an image of their own. */
export async function exportCache(
  { Attrs }: CacheOptionsEntry,
  { results }: Built,
  scope: Omit<ExportScope, "index">,
): Promise<void> {
  const { deps, progress, session, signal } = scope;
  const name = Attrs["ref"] ?? "";
  const exporting = progress.vertex("exporting cache to registry").around(async (vertex) => {
    const preparing = vertex.status("preparing build cache for export");
    const steps = results.flatMap(({ steps: all, config }) =>
      Attrs["mode"] === "max" ? all : own(all, config.rootfs.diff_ids),
    );
    using _hold = deps.images.hold();
    const id = await deps.images.createBuilt(cacheConfig(steps), { hidden: true });
    preparing.complete();
    try {
      const credentials = await credentialsOf(session, parseReference(name).domain, signal);
      const writing = vertex.status(`writing cache image to ${name}`);
      await deps.images.pushUnnamed(id, name, { credentials, signal });
      writing.complete();
    } finally {
      await deps.images.forgetCacheStep(id);
    }
  });
  if (["true", "1"].includes(Attrs["ignore-error"] ?? "")) await exporting.catch(() => undefined);
  else await exporting;
}

/** Those on the way to the result. */
function own(steps: readonly ReachedStep[], layers: readonly Digest[]): ReachedStep[] {
  return steps.filter((step) => step.layers.every((diffId, index) => diffId === layers[index]));
}

function cacheConfig(steps: readonly ReachedStep[]): ImageConfig {
  const layers = [...new Set(steps.flatMap((step) => step.layers))];
  const { os, architecture } = hostPlatform();
  return { os, architecture, rootfs: { type: "layers", diff_ids: layers }, [cacheField]: encodeCache(steps, layers) };
}
