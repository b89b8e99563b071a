/** The hidden verb `__archive`: jobs with archives (child-protocol.ts says how they are called). */

import { type Jobs, runJob } from "./child-protocol.ts";
import { ignoreContext, unpackContext } from "./context-jobs.ts";
import { copyPack } from "./copy-jobs.ts";
import { directoryPack, directoryUnpack } from "./directory-jobs.ts";
import { assembleLayer, pass, unpackLayer } from "./layer-jobs.ts";
import { treeExport, treeGet, treePut, treeStat } from "./tree-jobs.ts";

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
