/** Which files COPY and ADD bring: finding what their paths and patterns name in a confined root, and walking it. */
import { type EngineError, errorCode, invalidArgument, notFound } from "../../base/errors.ts";
import { IgnoreMatcher, toExpression } from "../../dockerfile/ignore.ts";
import * as files from "../../linux/files.ts";
import { hiddenDockerfile } from "./context-jobs.ts";
import { followLinks } from "./tree-path.ts";

export interface CopyItem {
  /** Raw path in the root, with a leading slash. */
  path: string;
  /** Raw last name as it was asked for, or with `parents` the whole path. */
  name: string;
  kind: "file" | "directory";
  /** With `parents`: the directories that the name leads through, outermost first. */
  above: { path: string; name: string }[];
}

/** Which files: the same in scanning and in packing. */
export interface CopySelection {
  root: string;
  paths: string[];
  /** Names are what they are, not patterns. */
  literal: boolean;
  exclude: string[];
  parents: boolean;
  /** Files of an image: owners count, and are kept unless there is another. */
  preserve: boolean;
}

/** Throws Docker's words for what is not there. Nothing outside the root is seen. */
export function selected(selection: Omit<CopySelection, "root">): CopyItem[] {
  return selection.paths.flatMap((path) => findItems(files.toRaw(path), selection));
}

export function excludedBy({ exclude }: Pick<CopySelection, "exclude">): IgnoreMatcher {
  return new IgnoreMatcher(exclude);
}

function findItems(given: string, { literal, parents, preserve }: Omit<CopySelection, "root">): CopyItem[] {
  const marker = parents ? given.indexOf("/./") : -1;
  const path = given.replace(/^\/+/, "").replace(/^(\.\/)+/, "");
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === ".." && names.pop() === undefined) throw forbidden(given);
    if (name !== "" && name !== "." && name !== "..") names.push(name);
  }
  const clean = names.join("/");
  // `a/./b` with --parents: the name begins behind the dot.
  const skipped =
    marker < 0
      ? 0
      : given
          .slice(0, marker)
          .split("/")
          .filter((name) => name !== "" && name !== ".").length;
  const found = !literal && hasWildcards(clean) ? glob(clean, parents) : [clean];
  return found.map((match) => toItem(match, { skipped: parents ? skipped : undefined, preserve }));
}

function forbidden(path: string): EngineError {
  return invalidArgument(`forbidden path outside the build context: ${files.fromRaw(path)} ()`);
}

/** moby's rule: without one of these a name is taken as it is, backslashes too. */
function hasWildcards(name: string): boolean {
  return /[*?[]/.test(name.replace(/\\./gs, ""));
}

/** `skipped`: with `--parents`, so many names at its begin are no part of the new path. */
function toItem(path: string, { skipped, preserve }: { skipped: number | undefined; preserve: boolean }): CopyItem {
  const { path: real, stat } = find(path);
  if (!stat) {
    const place = preserve ? "" : "file not found in build context or excluded by .dockerignore: ";
    throw notFound(`${place}stat ${files.fromRaw(path)}: file does not exist`);
  }
  const kind = files.isDirectory(stat) ? "directory" : "file";
  const names = path.split("/");
  if (skipped === undefined) return { path: real, name: names.at(-1) ?? "", kind, above: [] };
  const above = names
    .slice(skipped, -1)
    .map((_, at) => ({ path: `/${names.slice(0, skipped + at + 1).join("/")}`, name: nameOf(names, skipped, at + 1) }));
  return { path: real, name: nameOf(names, skipped, names.length), kind, above };
}

function nameOf(names: string[], from: number, count: number): string {
  return names.slice(from, from + count).join("/");
}

/** What is there, links followed inside the root. */
function find(path: string): { path: string; stat: files.FileStat | undefined } {
  try {
    return { path: followLinks(`/${path}`).path, stat: files.stat(`/${path}`) };
  } catch (error) {
    if (errorCode(error) === "ENOTDIR") throw forbidden(path);
    throw error;
  }
}

/** All paths that match, in the order of a walk. `*` and `?` do not match slashes; with `--parents` there is `**`. What is no pattern matches nothing. */
function glob(pattern: string, parents: boolean): string[] {
  const found: string[] = [];
  let expression: RegExp;
  try {
    expression = toExpression(files.fromRaw(pattern), { directories: parents });
  } catch {
    return found;
  }
  const depth = parents && pattern.includes("**") ? Number.POSITIVE_INFINITY : pattern.split("/").length;
  const walk = (directory: string, level: number) => {
    for (const name of files.listNames(`/${directory}`).sort()) {
      const path = directory === "" ? name : `${directory}/${name}`;
      const stat = files.lstat(`/${path}`);
      if (!stat || path === hiddenDockerfile) continue;
      if (expression.test(files.fromRaw(path))) found.push(path);
      if (files.isDirectory(stat) && level < depth) walk(path, level + 1);
    }
  };
  walk("", 1);
  return found;
}

/** Calls `visit` with everything that the item brings, directories before their content; `name` is relative to the item. */
export function walkItem(
  item: CopyItem,
  excluded: IgnoreMatcher,
  visit: (path: string, name: string, stat: files.FileStat) => void,
): void {
  const top = files.stat(item.path);
  if (!top) return;
  if (item.kind === "file") {
    const shown = files.fromRaw(item.path.slice(1));
    if (!excluded.matches(shown) && !excluded.matches(shown.slice(shown.lastIndexOf("/") + 1)))
      visit(item.path, "", top);
    return;
  }
  // Directories that are left out, and come along all the same if something in them is not.
  let pending: [path: string, name: string, stat: files.FileStat][] = [];
  const walk = (path: string, name: string) => {
    for (const child of files.listNames(path).sort()) {
      const childPath = path === "/" ? `/${child}` : `${path}/${child}`;
      const childName = name === "" ? child : `${name}/${child}`;
      const stat = files.lstat(childPath);
      if (!stat || childPath === `/${hiddenDockerfile}`) continue;
      const shown = excluded.isEmpty ? "" : files.fromRaw(childName);
      const out = excluded.matches(shown);
      if (!out) {
        for (const directory of pending) visit(...directory);
        pending = [];
        visit(childPath, childName, stat);
      }
      if (!files.isDirectory(stat) || (out && !excluded.mayHoldExceptions(shown))) continue;
      const above = pending;
      if (out) pending = [...above, [childPath, childName, stat]];
      walk(childPath, childName);
      // What was not needed in there is not needed behind it.
      if (pending.length > 0) pending = above;
    }
  };
  visit(item.path, "", top);
  walk(item.path, "");
}
