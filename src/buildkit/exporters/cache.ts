/** What a build leaves for other daemons: `--cache-to`. Source: Docker's documentation, "Cache storage backends". */
import { invalidArgument, notImplemented } from "../../base/errors.ts";
import { cacheField, encodeCache, type ReachedStep } from "../../builder/cache/cache-manifest.ts";
import type { CacheOptionsEntry } from "../../buildkit-api/protocol/messages.ts";
import type { Digest } from "../../oci/digest.ts";
import type { ImageConfig } from "../../oci/image-config.ts";
import { hostPlatform } from "../../oci/platform.ts";
import { parseReference } from "../../oci/reference.ts";
import type { Built } from "../frontend/frontend.ts";
import type { VertexProgress } from "../progress.ts";
import { credentialsOf } from "../session/services.ts";
import type { ExportResponse, ExportScope } from "./export.ts";
import { writeContent } from "./send.ts";

type CacheScope = Omit<ExportScope, "index" | "record">;

const isTrue = /^(true|1)$/;
const either = /^(true|false|1|0)$/;
const common = { mode: /^(min|max)$/, "image-manifest": isTrue, "oci-mediatypes": isTrue, "ignore-error": either };

/** Options of each kind of cache, with their values. */
const kinds: Record<string, Record<string, RegExp>> = {
  inline: {},
  registry: { ...common, ref: /./ },
  // The client alone reads the tag.
  local: { ...common, dest: /./, tag: /./ },
};

/** Throws for caches that nobody writes: before anything is built. */
export function checkCacheExport({ Type, Attrs }: CacheOptionsEntry): void {
  const known = kinds[Type];
  if (!known) throw notImplemented(`cache export to ${Type} is not supported`);
  for (const [name, value] of Object.entries(Attrs)) {
    if (!known[name]?.test(value))
      throw notImplemented(`the option ${name}=${value} of ${Type} caches is not supported`);
  }
  if (Type === "local" && !Attrs["dest"]) throw invalidArgument("local cache exporter requires dest");
  if (Type !== "registry") return;
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

/** Where the cache of a build goes, as an image of its own. */
export async function exportCache(
  cache: CacheOptionsEntry,
  { results }: Built,
  scope: CacheScope,
): Promise<ExportResponse> {
  const { deps, progress } = scope;
  const { Type, Attrs } = cache;
  if (Type === "inline") return {};
  const place = Type === "local" ? "client directory" : Type;
  const exporting = progress.vertex(`exporting cache to ${place}`).around(async (vertex) => {
    const preparing = vertex.status("preparing build cache for export");
    const steps = results.flatMap(({ steps: all, config }) =>
      Attrs["mode"] === "max" ? all : own(all, config.rootfs.diff_ids),
    );
    using _hold = deps.images.hold();
    const id = await deps.images.createBuilt(cacheConfig(steps), { hidden: true });
    preparing.complete();
    try {
      return Type === "local" ? await toClient(id, cache, scope, vertex) : await toRegistry(id, cache, scope, vertex);
    } finally {
      await deps.images.forgetCacheStep(id);
    }
  });
  return isTrue.test(Attrs["ignore-error"] ?? "") ? await exporting.catch(() => ({})) : await exporting;
}

async function toRegistry(
  id: Digest,
  { Attrs }: CacheOptionsEntry,
  { deps, session, signal }: CacheScope,
  vertex: VertexProgress,
): Promise<ExportResponse> {
  const name = Attrs["ref"] ?? "";
  const credentials = await credentialsOf(session, parseReference(name).domain, signal);
  const writing = vertex.status(`writing cache image to ${name}`);
  await deps.images.pushUnnamed(id, name, { credentials, signal });
  writing.complete();
  return {};
}

/** The client names it in the directory's index.json. */
async function toClient(
  id: Digest,
  { Attrs }: CacheOptionsEntry,
  scope: CacheScope,
  vertex: VertexProgress,
): Promise<ExportResponse> {
  const top = await writeContent({ images: [id] }, `local:${Attrs["dest"]}`, scope, vertex);
  return { "cache.manifest": JSON.stringify(top) };
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
