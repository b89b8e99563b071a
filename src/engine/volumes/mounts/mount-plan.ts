/** What a container mounts, decided at create, kept (as JSON) in its record, shown by inspect and turned into spec mounts at start. */
import { closeSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { MountPoint } from "../../../api/containers.ts";
import { goReason } from "../../../archive/processes/child-protocol.ts";
import { errorCode, internal, invalidArgument } from "../../../base/errors.ts";
import { openBeneath, openFlags } from "../../../linux/resolve.ts";

export interface MountPlan {
  type: "bind" | "volume" | "tmpfs" | "image";
  /** Host directory or file: a bind's source, a volume's `_data`, where an image's root is mounted; empty for tmpfs. */
  source: string;
  destination: string;
  /** Volume's name. */
  name?: string;
  driver?: string;
  /** As written: `ro,z`; what inspect shows. */
  mode: string;
  rw: boolean;
  /** `rprivate`, `rslave`, …; empty for none. */
  propagation: string;
  /** The engine chose `rslave` because the source holds its own data: private will do where the source has no peers. */
  propagationFallback?: boolean;
  /** Of a bind: its owner on the host and the container's user change places. */
  matchUser?: boolean;
  /** Fill an empty volume from the image. */
  copyData: boolean;
  /** `-v`: a missing bind source is made a directory at start. */
  createSource: boolean;
  subpath?: string;
  /** Of an image mount: the image as it was written and as it was found, the snapshot that shows it, and what that stands on. */
  image?: { name: string; id?: string; key: string; layers: readonly string[] };
  /** Made for this container without a name: removed with it by `rm -v` and `--rm`. */
  anonymous?: boolean;
  /** `--tmpfs`, which inspect shows in HostConfig only. */
  hidden?: boolean;
  nonRecursive?: boolean;
  readOnlyNonRecursive?: boolean;
  readOnlyForceRecursive?: boolean;
  /** tmpfs: mount options. */
  options?: string[];
}

/** `Mounts` of inspect and ps. */
export function toMountPoints(plans: readonly MountPlan[]): MountPoint[] {
  return plans
    .filter((plan) => !plan.hidden)
    .map((plan) => ({
      Type: plan.type,
      ...nameOf(plan),
      Source: plan.source,
      Destination: plan.destination,
      ...(plan.driver === undefined ? {} : { Driver: plan.driver }),
      Mode: plan.mode,
      RW: plan.rw,
      Propagation: plan.propagation,
    }));
}

function nameOf({ name, image }: MountPlan): { Name?: string } {
  const shown = image?.name ?? name;
  return shown === undefined ? {} : { Name: shown };
}

/** What `docker cp` needs over the root of a stopped container, outer mounts first. A tmpfs is empty then and left out. */
export function bindsFor(plans: readonly MountPlan[]): { source: string; destination: string; readOnly: boolean }[] {
  return byDepth(plans)
    .filter((plan) => plan.type !== "tmpfs")
    .map((plan) => ({ source: sourceOf(plan), destination: plan.destination, readOnly: !plan.rw }));
}

function sourceOf({ source, subpath }: MountPlan): string {
  return subpath === undefined ? source : withSubpath(source, subpath, (pinned) => readlinkSync(pinned));
}

/** Calls `use` with a path that stays bound to what a subpath of a volume was. Throws `invalid-argument`, `internal` in dockerd's words. */
export function withSubpath<T>(volume: string, subpath: string, use: (pinned: string) => T): T {
  let fd: number;
  try {
    fd = openBeneath(volume, subpath, openFlags.path);
  } catch (error) {
    if (errorCode(error) === "EXDEV") {
      throw invalidArgument(`path concatenation escapes the base directory, base: ${volume}, subpath: ${subpath}`);
    }
    const path = join(volume, subpath);
    const reason = goReason(errorCode(error) ?? "EIO");
    throw internal(`cannot access path ${path}: lstat ${path}: ${reason}`, { cause: error });
  }
  try {
    return use(`/proc/self/fd/${fd}`);
  } finally {
    closeSync(fd);
  }
}

/** Outer mounts before those inside them; otherwise the order given. */
export function byDepth(plans: readonly MountPlan[]): MountPlan[] {
  const depth = ({ destination }: MountPlan) => destination.split("/").filter(Boolean).length;
  return [...plans].sort((a, b) => depth(a) - depth(b));
}
