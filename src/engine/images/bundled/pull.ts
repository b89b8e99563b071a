/** Images that need no registry: a pull makes them of what is on the host. */
import type { ProgressMessage } from "../../../api/system.ts";
import { notFound } from "../../../base/errors.ts";
import { hostPlatform, matchesPlatform, parsePlatform } from "../../../oci/platform.ts";
import type { ImageContext } from "../context.ts";
import { bundledBusybox, pullBusybox } from "./busybox.ts";
import { bundledRegistry, makeRegistry } from "./registry.ts";

type Progress = (message: ProgressMessage) => void;

interface BundledOptions {
  readonly progress: Progress;
  readonly platform?: string | undefined;
}

const makers: Record<string, (context: ImageContext, progress: Progress) => Promise<void>> = {
  [bundledBusybox]: pullBusybox,
  [bundledRegistry]: makeRegistry,
};

/** Undefined for all other images. Another tag than the newest is some registry's. */
export function bundledPull(
  reference: string,
  tag: string | undefined,
): ((context: ImageContext, options: BundledOptions) => Promise<void>) | undefined {
  const name = Object.keys(makers).find((candidate) =>
    [candidate, `docker.io/${candidate}`].some(
      (known) => (reference === known && (!tag || tag === "latest")) || (reference === `${known}:latest` && !tag),
    ),
  );
  const make = name === undefined ? undefined : makers[name];
  return (
    make &&
    (async (context, { progress, platform }) => {
      if (platform && !matchesPlatform(parsePlatform(platform), hostPlatform()))
        throw notFound(`${name} is made of what is on this host, which is not for ${platform}`);
      await make(context, progress);
    })
  );
}
