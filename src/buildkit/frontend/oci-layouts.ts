/** `--build-context NAME=oci-layout://DIRECTORY`: images that lie in the client's directories. */
import { invalidArgument } from "../../base/errors.ts";
import { type Digest, parseDigest } from "../../oci/digest.ts";
import { parseImageConfig } from "../../oci/image-config.ts";
import type { Platform } from "../../oci/platform.ts";
import type { BuildkitDependencies } from "../parts.ts";
import { ClientContent } from "../session/client-content.ts";
import type { SourceScope } from "./dockerfile-source.ts";

/** By the addresses that the client gives: images, which are forgotten with the build. */
export async function loadLayouts(
  contexts: ReadonlyMap<string, string>,
  scope: SourceScope,
  { deps, platform, signal }: { deps: BuildkitDependencies; platform: Platform; signal: AbortSignal },
): Promise<Map<string, Digest>> {
  const found = new Map<string, Digest>();
  for (const [name, target] of contexts) {
    if (!target.startsWith("oci-layout:") || found.has(target)) continue;
    const { store, digest } = parseLayout(target);
    const image = await scope.progress.vertex(`[context ${name}] OCI load from client`).around(async () => {
      const content = new ClientContent(await scope.session(), `oci:${store}`);
      using _held = deps.images.hold();
      const opened = await deps.images.openContent(content, { digest, platform, signal });
      const config = parseImageConfig(opened.config);
      await opened.fetch(config.rootfs.diff_ids);
      return await deps.images.createBuilt(config, { hidden: true });
    });
    scope.stack.defer(() => deps.images.forgetCacheStep(image));
    found.set(target, image);
  }
  return found;
}

/** `oci-layout://STORE[:TAG]@DIGEST`: the client has looked the tag up. */
function parseLayout(target: string): { store: string; digest: Digest } {
  const [, store, digest] = /^oci-layout:\/\/([^:@]+)(?::[^@]*)?@(.+)$/.exec(target) ?? [];
  if (store === undefined || digest === undefined)
    throw invalidArgument(`invalid OCI layout ${target}: it needs a digest`);
  return { store, digest: parseDigest(digest) };
}
