/** Where COPY puts things: the tree that it goes on top of belongs to nobody else meanwhile, but links in it may point anywhere. */
import { lstatSync, readlinkSync, type Stats } from "node:fs";
import { join } from "node:path";
import type { PackedDirectory } from "../../archive/trees/copy-jobs.ts";
import { errorCode, invalidArgument } from "../../base/errors.ts";
import { toRaw } from "../../linux/files.ts";
import type { Owner } from "../steps/owner.ts";

/** The kernel's own limit. */
const maxLinks = 40;

/**
 * A path with all links in it followed inside `root` (undefined: an empty tree), to where it would be if there is nothing yet.
 * `stat`: what is there. Throws Docker's words when something on the way is no directory.
 */
export function followDestination(root: string | undefined, path: string): { path: string; stat: Stats | undefined } {
  let rest = path.split("/");
  let at: string[] = [];
  let stat = root === undefined ? undefined : lstatSync(root);
  for (let links = 0; rest.length > 0; ) {
    const name = rest.shift() as string;
    if (name === "" || name === ".") continue;
    if (name === "..") {
      at.pop();
      stat = root === undefined ? undefined : inspect(join(root, ...at));
      continue;
    }
    if (stat && !stat.isDirectory()) throw invalidArgument(`lstat /${[...at, name].join("/")}: not a directory`);
    const found = root === undefined || !stat ? undefined : inspect(join(root, ...at, name));
    if (!found?.isSymbolicLink()) {
      at.push(name);
      stat = found;
      continue;
    }
    if (++links > maxLinks)
      throw invalidArgument(`lstat /${[...at, name].join("/")}: too many levels of symbolic links`);
    const link = readlinkSync(join(root as string, ...at, name));
    rest = [...link.split("/"), ...rest];
    if (link.startsWith("/")) {
      at = [];
      stat = lstatSync(root as string);
    }
  }
  return { path: `/${at.join("/")}`, stat };
}

function inspect(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** The directories down to `base`, which is free of links: those that are there with their attributes, the others as `fresh` says. */
export function directoriesOf(
  root: string | undefined,
  base: string,
  fresh: Owner & { mode: number },
): PackedDirectory[] {
  const now = Math.floor(Date.now() / 1000);
  const found: PackedDirectory[] = [];
  let path = "";
  for (const name of base.split("/").filter(Boolean)) {
    path += `/${name}`;
    const stat = root === undefined ? undefined : inspect(join(root, path));
    found.push({ name: toRaw(path.slice(1)), ...(stat ? attributesOf(stat) : { ...fresh, mtime: now }) });
  }
  const last = found.at(-1);
  if (last) last.mtime = now;
  return found;
}

function attributesOf({ mode, uid, gid, mtimeMs }: Stats) {
  return { mode: mode & 0o7777, uid, gid, mtime: Math.floor(mtimeMs / 1000) };
}
