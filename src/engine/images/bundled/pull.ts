/** Images that need no registry: a pull makes them of what is on the host. */
import type { ProgressMessage } from "../../../api/system.ts";
import type { ImageContext } from "../context.ts";
import { bundledBusybox, pullBusybox } from "./busybox.ts";
import { bundledRegistry, makeRegistry } from "./registry.ts";

type Progress = (message: ProgressMessage) => void;

const makers: Record<string, (context: ImageContext, progress: Progress) => Promise<void>> = {
  [bundledBusybox]: pullBusybox,
  [bundledRegistry]: makeRegistry,
};

/** Undefined for all other images. Another tag than the newest is some registry's. */
export function bundledPull(
  reference: string,
  tag: string | undefined,
): ((context: ImageContext, progress: Progress) => Promise<void>) | undefined {
  const [name = ""] = Object.keys(makers).filter((candidate) =>
    [candidate, `docker.io/${candidate}`].some(
      (known) => (reference === known && (!tag || tag === "latest")) || (reference === `${known}:latest` && !tag),
    ),
  );
  return makers[name];
}
