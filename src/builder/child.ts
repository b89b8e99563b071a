/** The hidden verb `__build`: serves the jobs of builds (archive/processes/serve-jobs.ts), each confined to the directories that it is about. */

import { serveJobs } from "../archive/processes/serve-jobs.ts";
import { unpackContext } from "../archive/trees/context-jobs.ts";
import { copyLayer, copyScan, copyTree } from "../archive/trees/copy-jobs.ts";
import { upperJobs } from "../snapshots/child.ts";

const jobs = {
  ...upperJobs,
  "unpack-context": unpackContext,
  "copy-scan": copyScan,
  "copy-layer": copyLayer,
  "copy-tree": copyTree,
};

export async function buildMain(): Promise<number> {
  return serveJobs(jobs);
}
