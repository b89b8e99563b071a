/** The caches elsewhere that a build may use: `--cache-from`. */
import { invalidArgument } from "../../base/errors.ts";
import { decodeCache } from "../../builder/cache/cache-manifest.ts";
import type { CacheSource } from "../../builder/cache/imports.ts";
import type { CacheOptionsEntry } from "../../buildkit-api/protocol/messages.ts";
import { asArray, asObject, asString, asStringMap, optional, parseJson } from "../../oci/json.ts";
import { parseReference } from "../../oci/reference.ts";
import type { BuildkitDependencies } from "../parts.ts";
import type { Progress } from "../progress.ts";
import { credentialsOf } from "../session/services.ts";
import type { OpenSession } from "../session/session.ts";

/** The frontend's option `cache-imports`: JSON. Throws for what cannot be read. */
export function parseCacheImports(text: string | undefined): CacheOptionsEntry[] {
  if (!text) return [];
  return asArray(parseJson(Buffer.from(text), "cache-imports", text.length), "cache-imports").map((value) => {
    const entry = asObject(value, "cache-imports");
    return {
      Type: asString(entry["Type"], "cache-imports.Type"),
      Attrs: optional(entry["Attrs"], "cache-imports.Attrs", asStringMap) ?? {},
    };
  });
}

/** A cache that is not to be had is said to be so, and the build goes on. */
export function cacheSources(
  entries: readonly CacheOptionsEntry[],
  scope: { deps: BuildkitDependencies; session: OpenSession; progress: Progress; signal: AbortSignal },
): CacheSource[] {
  const { deps, session, progress, signal } = scope;
  const different = new Map(entries.map((entry) => [JSON.stringify([entry.Type, entry.Attrs]), entry]));
  return [...different.values()].map(({ Type, Attrs }) => ({
    async open() {
      const name = Attrs["ref"] ?? "";
      const vertex = progress.vertex(`importing cache manifest from ${name || Type}`);
      try {
        return await vertex.around(async () => {
          if (Type !== "registry") throw invalidArgument(`cache import from ${Type} is not supported`);
          const reference = parseReference(name);
          // An image that is here serves as it is, as with dockerd.
          const here = deps.images.configOf(reference);
          const own = here && decodeCache(here);
          if (own) return { steps: own, fetch: async () => {} };
          const { domain } = reference;
          const credentials = await credentialsOf(session, domain, signal);
          const image = await deps.images.openRemote(name, { credentials, signal });
          const steps = decodeCache(image.config);
          return steps && { steps, fetch: (layers) => image.fetch(layers) };
        });
      } catch (error) {
        if (signal.aborted) throw error;
        return undefined;
      }
    },
  }));
}
