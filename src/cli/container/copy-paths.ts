/**
 * The rules of `docker cp` about paths: what a trailing `/` or `/.` means, when the copy takes the destination's name, and into which folder
 * the archive is unpacked. Pure functions over what was found on both sides.
 */
import { posix } from "node:path";

export interface CopyEnd {
  readonly path: string;
  readonly exists: boolean;
  readonly isDirectory: boolean;
  /** The name to use in place of the path's last part, where a link was followed. */
  readonly rebaseName?: string;
}

export interface CopyPlan {
  /** Where the archive is unpacked. */
  readonly folder: string;
  /** The name of its root entry. */
  readonly to: string;
}

export function endsInSlash(path: string): boolean {
  return path.endsWith("/");
}

/** `dir/.` or `.`: the contents rather than the folder. */
export function endsInDot(path: string): boolean {
  return posix.basename(path) === "." || path.endsWith("/.");
}

/** Cleaned parent and last part; the last part of `dir/.` is `.`. */
export function splitPath(path: string): { parent: string; base: string } {
  const cleaned = clean(path);
  if (endsInDot(path)) return { parent: cleaned, base: "." };
  return { parent: posix.dirname(cleaned), base: posix.basename(cleaned) || "/" };
}

/** Go's filepath.Clean. */
export function clean(path: string): string {
  const normal = posix.normalize(path === "" ? "." : path);
  return normal.length > 1 ? normal.replace(/\/+$/, "") : normal;
}

/** An absolute, cleaned path that keeps the meaning of the original's end. */
export function keepEnding(absolute: string, original: string): string {
  let path = absolute;
  if (endsInDot(original) && !endsInDot(path)) path = path.endsWith("/") ? `${path}.` : `${path}/.`;
  if (endsInSlash(original) && !endsInSlash(path)) path += "/";
  return path;
}

/** After following a link: the resolved path with the original's ending, and the original's name if that differs. */
export function rebase(path: string, resolved: string): { path: string; rebaseName?: string } {
  const target = keepEnding(resolved, path);
  const name = posix.basename(path);
  return name === posix.basename(target) ? { path: target } : { path: target, rebaseName: name };
}

/** Decides. Throws an Error in Docker's words for what cannot be copied. */
export function planCopy(source: CopyEnd, destination: CopyEnd): CopyPlan {
  const from = source.rebaseName ?? splitPath(source.path).base;
  const { parent, base } = splitPath(destination.path);
  if (destination.exists && destination.isDirectory) return { folder: destination.path, to: from };
  if (destination.exists && source.isDirectory) throw new Error("cannot copy directory");
  const wantsFolder = endsInSlash(destination.path) || endsInDot(destination.path);
  if (!destination.exists && !source.isDirectory && wantsFolder) throw new Error("no such directory");
  return { folder: parent, to: base };
}

/** `NAME:PATH` of an argument; no container for `/a:b`, `./a:b` and what has no colon. */
export function splitArgument(argument: string): { container: string; path: string } {
  const at = argument.indexOf(":");
  if (argument.startsWith("/") || at < 0 || argument.startsWith(".")) return { container: "", path: argument };
  return { container: argument.slice(0, at), path: argument.slice(at + 1) };
}

/** Gives the root entry of an archive another name. */
export function renamer(root: string, to: string): (name: string) => string {
  const from = root === "/" ? "" : root;
  return from === to ? (name) => name : (name) => name.replace(from, () => to);
}
