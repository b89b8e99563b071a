/** The hidden verb `__snapshot`: jobs that read a snapshot's upper directory, confined to it (archive/child-protocol.ts). */
import { openSync } from "node:fs";
import type { FilesystemChange } from "../api/containers.ts";
import { ByteSink } from "../archive/byte-sink.ts";
import { type Jobs, runJob } from "../archive/child-protocol.ts";
import { enterRoot } from "../archive/confine.ts";
import { contentSize } from "../archive/layer-jobs.ts";
import { Packer } from "../archive/pack.ts";
import { TarWriter } from "../archive/tar-writer.ts";
import { fromRaw, openFlags } from "../linux/files.ts";
import { type UpperChange, upperChanges, type WalkOptions } from "./upper-changes.ts";

export interface UpperJob {
  verb: "changes" | "pack" | "usage";
  upper: string;
  /** The layers' trees, topmost first. */
  layers: string[];
}

function readChanges({ upper, layers }: UpperJob, purpose: WalkOptions["purpose"]): UpperChange[] {
  const descriptors = layers.map((path) => openSync(path, openFlags.path | openFlags.directory));
  enterRoot(upper);
  return upperChanges(descriptors, { purpose });
}

const kinds = { modified: 0, added: 1, deleted: 2 } as const;

function changes(job: UpperJob): FilesystemChange[] {
  return readChanges(job, "diff")
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, kind }) => ({ Path: fromRaw(path), Kind: kinds[kind] }));
}

/** Writes the upper directory as a layer's archive to stdout. */
function pack(job: UpperJob): void {
  const writer = new TarWriter(new ByteSink(1));
  const packer = new Packer(writer);
  for (const { path, stat, kind, opaque } of readChanges(job, "layer")) {
    const name = path.slice(1);
    const slash = name.lastIndexOf("/") + 1;
    // A file of that name cannot be in a layer.
    if (name.startsWith(".wh.", slash)) continue;
    if (kind === "deleted") packer.addEmpty(`${name.slice(0, slash)}.wh.${name.slice(slash)}`, stat?.mtime ?? 0);
    else if (stat) packer.add(path, name, stat);
    if (opaque) packer.addEmpty(`${name}/.wh..wh..opq`, stat?.mtime ?? 0);
  }
  writer.end();
}

function usage({ upper }: UpperJob): number {
  enterRoot(upper);
  return contentSize("/");
}

const jobs: Jobs = { changes, pack, usage };

export function snapshotMain(argv: string[]): Promise<number> {
  return runJob(jobs, argv);
}
