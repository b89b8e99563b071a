/**
 * Which files of a directory a build gets: those that it asks for (with what links among them lead to), but not what its ignore file
 * leaves out. Source: tonistiigi/fsutil filter.go, followlinks.go; moby/buildkit session/filesync.
 */
import { readdirSync, readlinkSync } from "node:fs";
import { join, posix } from "node:path";
import type { Choice } from "../../buildkit-api/files/send-files.ts";
import { IgnoreMatcher } from "../../dockerfile/ignore.ts";

/** As many links are followed in one path. */
const maxLinks = 255;

/** `exclude`: patterns of an ignore file. `follow`: paths that may hold wildcards; none: everything. */
export function chooser(root: string, exclude: readonly string[], follow: readonly string[]): (path: string) => Choice {
  const matcher = new IgnoreMatcher(exclude.map(raw));
  const ignored = (path: string): Choice => {
    if (exclude.length === 0 || !matcher.matches(path)) return "send";
    return matcher.mayHoldExceptions(path) ? "look" : "skip";
  };
  if (follow.length === 0) return ignored;
  const wanted = followPaths(root, follow);
  if (wanted.has("")) return ignored;
  const above = new Set([...wanted].flatMap((path) => ancestors(path)));
  return (path) => {
    if (wanted.has(path) || ancestors(path).some((parent) => wanted.has(parent))) return ignored(path);
    return above.has(path) ? "look" : "skip";
  };
}

function ancestors(path: string): string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
}

/** The paths, and those of the links on the way to them with what they lead to; "" is the root. Raw strings. */
export function followPaths(root: string, paths: readonly string[]): Set<string> {
  const found = new Set<string>();
  for (const path of paths) follow(root, "", segments(raw(path)), found, 0);
  return found;
}

/** `rest` of a path below `directory`, in which no link is left. */
function follow(root: string, directory: string, rest: readonly string[], found: Set<string>, links: number): void {
  const [name, ...others] = rest;
  if (name === undefined) {
    found.add(directory);
    return;
  }
  for (const child of matching(root, directory, name)) {
    const path = directory === "" ? child : `${directory}/${child}`;
    const target = links < maxLinks ? linkTarget(root, path) : undefined;
    if (target === undefined) {
      follow(root, path, others, found, links);
      continue;
    }
    found.add(path);
    // Links do not lead out of the directory: its root is theirs.
    const whole = target.startsWith("/") ? target : posix.join("/", directory, target);
    follow(root, "", [...segments(posix.normalize(whole)), ...others], found, links + 1);
  }
}

function segments(path: string): string[] {
  return posix
    .normalize(`/${path}`)
    .split("/")
    .filter((part) => part !== "");
}

/** The name itself, or what matches it if it has wildcards. */
function matching(root: string, directory: string, name: string): string[] {
  if (!/[*?[\\]/.test(name)) return [name];
  try {
    const matcher = new IgnoreMatcher([name]);
    return readdirSync(join(root, utf8(directory)), { encoding: "latin1" }).filter((child) => matcher.matches(child));
  } catch {
    return [];
  }
}

function linkTarget(root: string, path: string): string | undefined {
  const whole = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, "latin1")]);
  try {
    return readlinkSync(whole, { encoding: "latin1" });
  } catch {
    // Something else, or nothing.
    return undefined;
  }
}

function raw(text: string): string {
  return Buffer.from(text).toString("latin1");
}

function utf8(path: string): string {
  return Buffer.from(path, "latin1").toString();
}
