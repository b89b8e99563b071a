/** Mount propagation of binds: what the source's own mount must allow. Source: mount_namespaces(7). */
import { realpathSync } from "node:fs";
import { internal, invalidArgument } from "../../../base/errors.ts";
import { type MountInfo, readMountInfo } from "../../../linux/mounts/mount.ts";
import type { MountPlan } from "./mount-plan.ts";

/**
 * A bind that shows a container the engine's own data must be a slave: private, it would keep other containers' roots mounted after
 * they ended. Returns the plan with that set; throws when the user asked for what cannot be.
 */
export function guardDataRoot(plan: MountPlan, explicit: boolean, dataRoot: string): MountPlan {
  if (plan.type !== "bind" || !(plan.source.startsWith(dataRoot) || dataRoot.startsWith(plan.source))) return plan;
  if (!explicit) return { ...plan, propagation: "rslave", propagationFallback: true };
  if (plan.propagation === "rslave" || plan.propagation === "rshared") return plan;
  const where = `daemon root: ${JSON.stringify(dataRoot)}, bind mount source: ${JSON.stringify(plan.source)}`;
  throw invalidArgument(
    `invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within the daemon root, ${where}, propagation: ${JSON.stringify(plan.propagation)}`,
  );
}

/** The propagation to mount with. Throws Docker's messages when the source's mount has no peers to share with. */
export function effectivePropagation(plan: MountPlan, mounts: () => MountInfo[] = readMountInfo): string {
  const { propagation, source } = plan;
  if (!/^r?(shared|slave)$/.test(propagation)) return propagation;
  const holder = mountOf(realpathSync(source), mounts());
  const has = (kind: string) => holder?.propagation.some((field) => field.startsWith(kind)) ?? false;
  if (propagation.endsWith("shared")) {
    if (has("shared:")) return propagation;
    throw internal(`path ${source} is mounted on ${holder?.mountPoint} but it is not a shared mount`);
  }
  if (has("shared:") || has("master:")) return propagation;
  if (plan.propagationFallback) return "rprivate";
  throw internal(`path ${source} is mounted on ${holder?.mountPoint} but it is not a shared or slave mount`);
}

/** The mount that a path is on: the deepest one, and of those at one place the last. */
function mountOf(path: string, mounts: MountInfo[]): MountInfo | undefined {
  const holds = ({ mountPoint }: MountInfo) =>
    mountPoint === "/" || path === mountPoint || path.startsWith(`${mountPoint}/`);
  return mounts
    .filter(holds)
    .reduce<MountInfo | undefined>(
      (best, mount) => (best === undefined || mount.mountPoint.length >= best.mountPoint.length ? mount : best),
      undefined,
    );
}
