/** The hidden verb `__snapshot`: jobs that read a snapshot's upper directory, confined to it (archive/processes/child-protocol.ts). */
import { closeSync, openSync } from "node:fs";
import type { FilesystemChange } from "../api/containers.ts";
import { contentSize, type UnpackLayerResult } from "../archive/layers/layer-files.ts";
import { LayerKeeper, LayerMaker } from "../archive/layers/layer-maker.ts";
import { type Jobs, runJob } from "../archive/processes/child-protocol.ts";
import { enterRoot } from "../archive/processes/confine.ts";
import { type PackedTimes, Packer } from "../archive/tar/pack.ts";
import { fromRaw, openFlags } from "../linux/files.ts";
import { isShown, type MountPoint, tidyMountPoints, tidyUpper } from "./tidy-upper.ts";
import { type UpperChange, upperChanges } from "./upper-changes.ts";

export interface UpperJob {
  verb: "changes" | "usage";
  upper: string;
  /** The layers' trees, topmost first. */
  layers: string[];
}

export interface UpperLayerJob extends Omit<UpperJob, "verb"> {
  /** `copy-upper`: the upper directory stays as it is; `adopt-upper`: it is made ready to become the layer's `diff`. */
  verb: "copy-upper" | "adopt-upper";
  /** An empty directory, the layer's. */
  directory: string;
  mountPoints: readonly MountPoint[];
  /** For `copy-upper` alone. */
  times?: PackedTimes | undefined;
  /** For `copy-upper` alone: what is there is a whole tree. */
  whole?: boolean | undefined;
}

const kinds = { modified: 0, added: 1, deleted: 2 } as const;

function changes({ upper, layers }: UpperJob): FilesystemChange[] {
  const found = withLayers(layers, (descriptors) => {
    enterRoot(upper);
    return upperChanges(descriptors, { purpose: "diff" });
  });
  return found
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, kind }) => ({ Path: fromRaw(path), Kind: kinds[kind] }));
}

function copyUpper({ upper, layers, directory, mountPoints, times, whole }: UpperLayerJob): UnpackLayerResult {
  return withLayers(layers, (descriptors) => {
    using maker = new LayerMaker(directory, upper);
    tidyMountPoints(mountPoints, descriptors);
    pack(new Packer(maker, times), upperChanges(descriptors, { purpose: whole ? "tree" : "layer" }));
    maker.end();
    return maker.result();
  });
}

function adoptUpper({ upper, layers, directory, mountPoints }: UpperLayerJob): UnpackLayerResult {
  return withLayers(layers, (descriptors) => {
    using keeper = new LayerKeeper(directory, upper);
    tidyMountPoints(mountPoints, descriptors);
    const useless: string[] = [];
    const found = upperChanges(descriptors, { purpose: "layer", onUseless: (path) => useless.push(path) });
    tidyUpper(found, useless);
    pack(new Packer(keeper), found);
    keeper.end();
    return keeper.result();
  });
}

/** Calls `work` with descriptors of the layers' trees. */
function withLayers<T>(layers: readonly string[], work: (descriptors: number[]) => T): T {
  const descriptors = layers.map((path) => openSync(path, openFlags.path | openFlags.directory));
  try {
    return work(descriptors);
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor);
  }
}

/** The entries of a layer's archive. */
function pack(packer: Packer, found: readonly UpperChange[]): void {
  for (const change of found) {
    if (!isShown(change)) continue;
    const { path, stat, kind, opaque } = change;
    const name = path.slice(1);
    const slash = name.lastIndexOf("/") + 1;
    if (kind === "deleted") packer.addEmpty(`${name.slice(0, slash)}.wh.${name.slice(slash)}`, stat?.mtime ?? 0);
    else if (stat) packer.add(path, name, stat);
    if (opaque) packer.addEmpty(`${name}/.wh..wh..opq`, stat?.mtime ?? 0);
  }
}

function usage({ upper }: UpperJob): number {
  enterRoot(upper);
  return contentSize("/");
}

export const upperJobs: Jobs = { changes, usage, "copy-upper": copyUpper, "adopt-upper": adoptUpper };

export function snapshotMain(argv: string[]): Promise<number> {
  return runJob(upperJobs, argv);
}
