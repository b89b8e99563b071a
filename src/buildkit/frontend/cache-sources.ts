/** The caches elsewhere that a build may use: `--cache-from`. */
import { invalidArgument } from "../../base/errors.ts";
import { decodeCache } from "../../builder/cache/cache-manifest.ts";
import type { CacheSource, RemoteCache } from "../../builder/cache/imports.ts";
import type { CacheOptionsEntry } from "../../buildkit-api/protocol/messages.ts";
import type { OpenImage } from "../../engine/images/transfer/unnamed.ts";
import { parseDigest } from "../../oci/digest.ts";
import { asArray, asObject, asString, asStringMap, optional, parseJson } from "../../oci/json.ts";
import { hostPlatform } from "../../oci/platform.ts";
import { parseReference } from "../../oci/reference.ts";
import type { BuildkitDependencies } from "../parts.ts";
import type { Progress } from "../progress.ts";
import { ClientContent } from "../session/client-content.ts";
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

interface CacheScope {
  deps: BuildkitDependencies;
  session: OpenSession;
  progress: Progress;
  signal: AbortSignal;
}

/** A cache that is not to be had is said to be so, and the build goes on. */
export function cacheSources(entries: readonly CacheOptionsEntry[], scope: CacheScope): CacheSource[] {
  const { progress, signal } = scope;
  const different = new Map(entries.map((entry) => [JSON.stringify([entry.Type, entry.Attrs]), entry]));
  return [...different.values()].map((entry) => ({
    async open() {
      const vertex = progress.vertex(`importing cache manifest from ${nameOf(entry)}`);
      try {
        return await vertex.around(() => open(entry, scope));
      } catch (error) {
        if (signal.aborted) throw error;
        return undefined;
      }
    },
  }));
}

function nameOf({ Type, Attrs }: CacheOptionsEntry): string {
  return (Type === "local" ? `local:${Attrs["digest"] ?? ""}` : Attrs["ref"]) || Type;
}

function open(entry: CacheOptionsEntry, scope: CacheScope): Promise<RemoteCache | undefined> {
  if (entry.Type === "registry") return fromRegistry(entry, scope);
  if (entry.Type === "local") return fromClient(entry, scope);
  throw invalidArgument(`cache import from ${entry.Type} is not supported`);
}

async function fromRegistry({ Attrs }: CacheOptionsEntry, { deps, session, signal }: CacheScope) {
  const name = Attrs["ref"] ?? "";
  const reference = parseReference(name);
  // An image that is here serves as it is, as with dockerd.
  const here = deps.images.configOf(reference);
  const own = here && decodeCache(here);
  if (own) return { steps: own, fetch: async () => {} };
  const credentials = await credentialsOf(session, reference.domain, signal);
  return toCache(await deps.images.openRemote(name, { credentials, signal }));
}

async function fromClient({ Attrs }: CacheOptionsEntry, { deps, session, signal }: CacheScope) {
  const { src = "", digest = "" } = Attrs;
  if (src === "") throw invalidArgument("local cache importer requires src");
  const content = new ClientContent(await session(), `local:${src}`);
  const platform = hostPlatform();
  return toCache(await deps.images.openContent(content, { digest: parseDigest(digest), platform, signal }));
}

function toCache(image: OpenImage): RemoteCache | undefined {
  const steps = decodeCache(image.config);
  return steps && { steps, fetch: (layers) => image.fetch(layers) };
}
