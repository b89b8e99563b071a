/** `mkdir -p` inside a root that is not trusted: links in the path lead no further than the root. */
import { chownSync, mkdirSync, statSync } from "node:fs";
import { errorCode, invalidArgument } from "../base/errors.ts";
import { withPathInRoot } from "./resolve.ts";

export interface DirectoryOwner {
  mode: number;
  uid: number;
  gid: number;
}

/** Makes what is missing of `path`; what is there stays as it is. Throws `invalid-argument` when something there is no directory. */
export function makeDirectoryInRoot(root: string, path: string, owner: DirectoryOwner): void {
  let reached = "";
  for (const name of path.split("/").filter(Boolean)) {
    const parent = reached;
    reached += `/${name}`;
    withPathInRoot(root, parent || "/", (pinned) => {
      try {
        mkdirSync(`${pinned}/${name}`, { mode: owner.mode });
        chownSync(`${pinned}/${name}`, owner.uid, owner.gid);
      } catch (error) {
        if (errorCode(error) === "ENOTDIR") throw invalidArgument(`Cannot mkdir: ${parent} is not a directory`);
        if (errorCode(error) !== "EEXIST") throw error;
      }
    });
  }
  withPathInRoot(root, reached || "/", (pinned) => {
    if (!statSync(pinned).isDirectory()) throw invalidArgument(`Cannot mkdir: ${reached} is not a directory`);
  });
}
