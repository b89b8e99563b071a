/** Container trees by child processes of this executable. */
import type { ContainerPathStat } from "../../api/containers.ts";
import type { CarriedBytes, PipedBytes } from "../../base/streams.ts";
import { runChild, startChild } from "../processes/run-child.ts";
import { readArchive } from "../read-archive.ts";
import type { PackedTimes } from "../tar/pack.ts";
import type { ContainerTree, PutOptions, TreeRoot } from "./container-tree.ts";

export class ChildContainerTree implements ContainerTree {
  async statPath(root: TreeRoot, path: string): Promise<ContainerPathStat> {
    return (await runChild("__archive", { verb: "tree-stat", root, path })) as ContainerPathStat;
  }

  async getArchive(
    root: TreeRoot,
    path: string,
    signal: AbortSignal,
  ): Promise<{ stat: ContainerPathStat; body: PipedBytes }> {
    const child = startChild("__archive", { verb: "tree-get", root, path }, { stdout: "stream", signal });
    return { stat: (await child.head) as ContainerPathStat, body: child.output };
  }

  async putArchive(
    root: TreeRoot,
    path: string,
    archive: CarriedBytes,
    { signal, ...options }: PutOptions,
  ): Promise<void> {
    const job = { verb: "tree-put", root, path, ...options };
    await readArchive(
      archive,
      (stdin, either) => startChild("__archive", job, { stdin, signal: either }).result,
      signal,
    );
  }

  async exportTree(rootfs: string, signal: AbortSignal, times?: PackedTimes): Promise<PipedBytes> {
    return startChild("__archive", { verb: "tree-export", rootfs, times }, { stdout: "stream", signal }).output;
  }
}
