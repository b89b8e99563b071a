/** The hidden verb `__build`: serves the jobs of builds (archive/serve-jobs.ts), each confined to the directories that it is about. */
import { unpackContext } from "../archive/context-jobs.ts";
import { copyLayer, copyScan, copyTree } from "../archive/copy-jobs.ts";
import { serveJobs } from "../archive/serve-jobs.ts";
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
