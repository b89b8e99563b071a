/** The hidden verb `__archive`: jobs with archives (child-protocol.ts says how they are called). */

import { assembleLayer, pass, unpackLayer } from "../layers/layer-jobs.ts";
import { ignoreContext, unpackContext } from "../trees/context-jobs.ts";
import { copyPack } from "../trees/copy-jobs.ts";
import { directoryPack, directoryUnpack } from "../trees/directory-jobs.ts";
import { treeExport, treeGet, treePut, treeStat } from "../trees/tree-jobs.ts";
import { type Jobs, runJob } from "./child-protocol.ts";

const jobs: Jobs = {
  "unpack-layer": unpackLayer,
  assemble: assembleLayer,
  pass,
  "tree-stat": treeStat,
  "tree-get": treeGet,
  "tree-put": treePut,
  "tree-export": treeExport,
  "unpack-context": unpackContext,
  "ignore-context": ignoreContext,
  "copy-pack": copyPack,
  "directory-pack": directoryPack,
  "directory-unpack": directoryUnpack,
};

export function archiveMain(argv: string[]): Promise<number> {
  return runJob(jobs, argv);
}
