/**
 * The child's side of COPY and ADD: finding the files in a confined root, digesting them, packing them under their new names; and of
 * build contexts, unpacking one and leaving out what its `.dockerignore` says.
 */
import { closeSync, readSync } from "node:fs";
import { invalidArgument, notFound } from "../base/errors.ts";
import { type Bytes, lines } from "../base/streams.ts";
import { IgnoreMatcher, parseIgnoreFile, toExpression } from "../dockerfile/ignore.ts";
import * as files from "../linux/files.ts";
import { ByteSink, writeAll } from "./byte-sink.ts";
import { ByteSource } from "./byte-source.ts";
import { errorOf } from "./child-protocol.ts";
import { enterRoot } from "./confine.ts";
import { type DirectoryAttributes, Packer } from "./pack.ts";
import { removeTree } from "./remove-tree.ts";
import { TarReader } from "./tar-reader.ts";
import { TarWriter } from "./tar-writer.ts";
import { followLinks } from "./tree-path.ts";
import { Unpacker } from "./unpack.ts";

const isDirectory = (stat: files.FileStat) => (stat.mode & files.fileType.mask) === files.fileType.directory;
const isFile = (stat: files.FileStat) => (stat.mode & files.fileType.mask) === files.fileType.regular;

export interface UnpackContextJob {
  verb: "unpack-context";
  directory: string;
  /** Its own ignore file, `NAME.dockerignore`, comes before `.dockerignore`. */
  dockerfile: string;
}

/** The uncompressed archive comes in on stdin. */
export function unpackContext({ directory, dockerfile }: UnpackContextJob): void {
  process.umask(0);
  enterRoot(directory);
  const reader = new TarReader(new ByteSource(0));
  new Unpacker(reader, { base: "/", whiteouts: false, noOverwriteDirNonDir: false }).run();
  reader.drain();
  applyIgnoreFile(dockerfile);
}

export interface IgnoreContextJob {
  verb: "ignore-context";
  directory: string;
  dockerfile: string;
}

/** For contexts that did not come as an archive. */
export function ignoreContext({ directory, dockerfile }: IgnoreContextJob): void {
  enterRoot(directory);
  applyIgnoreFile(dockerfile);
}

function applyIgnoreFile(dockerfile: string): void {
  const own = readSmall(`/${files.toRaw(dockerfile)}.dockerignore`);
  const text = own ?? readSmall("/.dockerignore");
  if (text === undefined) return;
  const matcher = new IgnoreMatcher(parseIgnoreFile(text).map(files.toRaw));
  removeIgnored("", matcher, files.toRaw(dockerfile));
}

/** Also the Dockerfile goes, once it has been read: `keep` names it. */
function removeIgnored(directory: string, matcher: IgnoreMatcher, keep: string): void {
  for (const name of files.listNames(`/${directory}`)) {
    const path = directory === "" ? name : `${directory}/${name}`;
    const stat = files.lstat(`/${path}`);
    if (!stat) continue;
    const ignored = matcher.matches(path);
    if (ignored && path === keep) files.rename(`/${path}`, `/${hiddenDockerfile}`);
    else if (ignored && !(isDirectory(stat) && (keep.startsWith(`${path}/`) || matcher.mayHoldExceptions(path)))) {
      removeTree(`/${path}`);
    } else if (isDirectory(stat)) {
      removeIgnored(path, matcher, keep);
      if (ignored && files.listNames(`/${path}`).length === 0) files.removeDirectory(`/${path}`);
    }
  }
}

/** Where a Dockerfile goes that is not to be copied: a name that no COPY brings along. */
export const hiddenDockerfile = ".gantry-dockerfile";

function readSmall(path: string): string | undefined {
  const stat = files.stat(path);
  if (!stat || !isFile(stat) || stat.size > 16 << 20) return undefined;
  const descriptor = files.open(path, files.openFlags.readOnly);
  try {
    const content = Buffer.alloc(stat.size);
    readSync(descriptor, content);
    return content.toString();
  } finally {
    closeSync(descriptor);
  }
}

interface CopyItem {
  /** Raw path in the root, with a leading slash. */
  path: string;
  /** Raw last name as it was asked for, or with `parents` the whole path. */
  name: string;
  kind: "file" | "directory";
}

/** Which files: the same in scanning and in packing. */
export interface CopySelection {
  root: string;
  paths: string[];
  /** Names are what they are, not patterns. */
  literal: boolean;
  exclude: string[];
  parents: boolean;
}

export interface CopyScanRequest extends Omit<CopySelection, "root"> {
  /** Owners count, and are kept. */
  preserve: boolean;
  /** Look for archives. */
  archives: boolean;
}

export interface CopyScan {
  /** How many files or directories the paths named. */
  count: number;
  /** Of a single one. */
  kind?: "file" | "directory";
  /** `file:…`, `dir:…` or, of several, `multi:…`. */
  digest: string;
  /** Paths of files that may be archives, with their first bytes in hexadecimal. */
  archives: { path: string; head: string }[];
}

export interface CopyServeJob {
  verb: "copy-serve";
  root: string;
}

export type CopyAnswer = { result: CopyScan } | { error: ReturnType<typeof errorOf> };

/** Answers requests, one JSON line each on stdin, with a JSON line each on stdout, until stdin ends. The tree does not change meanwhile. */
export async function copyServe({ root }: CopyServeJob): Promise<void> {
  enterRoot(root);
  for await (const line of lines(Bun.stdin.stream() as Bytes)) {
    let answer: CopyAnswer;
    try {
      answer = { result: scan(JSON.parse(line) as CopyScanRequest) };
    } catch (error) {
      answer = { error: errorOf(error) };
    }
    writeAll(1, Buffer.from(`${JSON.stringify(answer)}\n`));
  }
}

/** Throws Docker's words for what is not there. Nothing outside the root is seen. */
function scan({ preserve, archives, ...selection }: CopyScanRequest): CopyScan {
  const excluded = excludedBy(selection);
  const items = selected(selection);
  const digests = items.map((item) => digestItem(item, excluded, preserve));
  const found = archives ? items.filter(({ kind }) => kind === "file") : [];
  const [item] = items;
  const [only] = digests;
  return {
    count: items.length,
    ...(item && items.length === 1 ? { kind: item.kind } : {}),
    digest: only !== undefined && digests.length === 1 ? only : `multi:${sha256(digests.join(","))}`,
    archives: found.map(({ path }) => ({ path, head: headOf(path) })),
  };
}

function sha256(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

function selected({ paths, literal, parents }: Omit<CopySelection, "root">): CopyItem[] {
  return paths.flatMap((path) => findItems(files.toRaw(path), literal, parents));
}

function excludedBy({ exclude }: Pick<CopySelection, "exclude">): IgnoreMatcher {
  return new IgnoreMatcher(exclude.map(files.toRaw));
}

function findItems(given: string, literal: boolean, parents: boolean): CopyItem[] {
  const shown = files.fromRaw(given);
  const marker = parents ? given.indexOf("/./") : -1;
  const path = given.replace(/^\/+/, "").replace(/^(\.\/)+/, "");
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === ".." && names.pop() === undefined) {
      throw invalidArgument(`forbidden path outside the build context: ${shown} ()`);
    } else if (name !== "" && name !== "." && name !== "..") names.push(name);
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
  const found = !literal && /[*?[]/.test(clean) ? glob(clean) : [clean];
  return found.map((match) => toItem(match, shown, parents ? match.split("/").slice(skipped).join("/") : undefined));
}

function toItem(path: string, shown: string, name: string | undefined): CopyItem {
  const stat = files.stat(`/${path}`);
  if (!stat) {
    throw notFound(
      `file not found in build context or excluded by .dockerignore: stat ${shown.replace(/^\/+/, "")}: file does not exist`,
    );
  }
  const base = path.slice(path.lastIndexOf("/") + 1);
  return {
    path: followLinks(`/${path}`).path,
    name: name ?? base,
    kind: isDirectory(stat) ? "directory" : "file",
  };
}

/** All paths that match, in the order of a walk; `*` and `?` do not match slashes. */
function glob(pattern: string): string[] {
  const found: string[] = [];
  const expression = toExpression(pattern);
  const depth = pattern.includes("**") ? Number.POSITIVE_INFINITY : pattern.split("/").length;
  const walk = (directory: string, level: number) => {
    for (const name of files.listNames(`/${directory}`).sort()) {
      const path = directory === "" ? name : `${directory}/${name}`;
      const stat = files.lstat(`/${path}`);
      if (!stat || path === hiddenDockerfile) continue;
      if (expression.test(path)) found.push(path);
      if (isDirectory(stat) && level < depth) walk(path, level + 1);
    }
  };
  walk("", 1);
  return found;
}

/** As much as a tar header: compressed or not, an archive can be told by it. */
function headOf(path: string): string {
  const stat = files.stat(path);
  if (!stat || !isFile(stat)) return "";
  const descriptor = files.open(path, files.openFlags.readOnly | 0o4000);
  try {
    const head = Buffer.alloc(512);
    return head.subarray(0, readSync(descriptor, head)).toString("hex");
  } finally {
    closeSync(descriptor);
  }
}

/** Names, types, modes, owners if they are kept, contents, link targets and capabilities; never times. */
function digestItem(item: CopyItem, excluded: IgnoreMatcher, preserve: boolean): string {
  const hash = new Bun.CryptoHasher("sha256");
  const add = (path: string, name: string, stat: files.FileStat) => {
    const { mode, uid, gid, rdevMajor, rdevMinor } = stat;
    const owner = preserve ? `${uid}:${gid}` : "";
    const capability = files.getXattr(path, "security.capability")?.toString("hex") ?? "";
    hash.update(`${JSON.stringify([name, mode, owner, rdevMajor, rdevMinor, capability])}\n`);
    if ((mode & files.fileType.mask) === files.fileType.symlink) hash.update(files.readLink(path), "latin1");
    else if (isFile(stat)) hash.update(contentDigest(path, stat));
  };
  walkItem(item, excluded, add);
  return `${item.kind === "directory" ? "dir" : "file"}:${hash.digest("hex")}`;
}

const chunk = Buffer.allocUnsafeSlow(1 << 20);

/** Of files that several requests ask for, each is read once. */
const contents = new Map<string, string>();

function contentDigest(path: string, { inode, deviceMajor, deviceMinor }: files.FileStat): string {
  const key = `${deviceMajor}:${deviceMinor}:${inode}`;
  const known = contents.get(key);
  if (known !== undefined) return known;
  const hash = new Bun.CryptoHasher("sha256");
  const descriptor = files.open(path, files.openFlags.readOnly | files.openFlags.noFollow | 0o4000);
  try {
    for (let read = readSync(descriptor, chunk); read > 0; read = readSync(descriptor, chunk)) {
      hash.update(chunk.subarray(0, read));
    }
  } finally {
    closeSync(descriptor);
  }
  const digest = hash.digest("hex");
  contents.set(key, digest);
  return digest;
}

/** Calls `visit` with everything that the item brings, directories before their content; `name` is relative to the item. */
function walkItem(
  item: CopyItem,
  excluded: IgnoreMatcher,
  visit: (path: string, name: string, stat: files.FileStat) => void,
): void {
  const top = files.stat(item.path);
  if (!top) return;
  if (item.kind === "file") {
    if (!excluded.matches(item.path.slice(1))) visit(item.path, "", top);
    return;
  }
  const walk = (path: string, name: string) => {
    for (const child of files.listNames(path).sort()) {
      const childPath = path === "/" ? `/${child}` : `${path}/${child}`;
      const childName = name === "" ? child : `${name}/${child}`;
      const stat = files.lstat(childPath);
      if (!stat || childPath === `/${hiddenDockerfile}`) continue;
      const out = excluded.matches(childName);
      if (!out) visit(childPath, childName, stat);
      if (isDirectory(stat) && (!out || excluded.mayHoldExceptions(childName))) walk(childPath, childName);
    }
  };
  visit(item.path, "", top);
  walk(item.path, "");
}

export interface CopyPackJob extends CopySelection {
  verb: "copy-pack";
  /** The name that the one file gets; undefined: each keeps its own, and of a directory only the content is packed. */
  name: string | undefined;
  /** Paths that are left out: archives, which are unpacked instead. */
  skip: string[];
  /** For a layer: the directories on the way, outermost first, below which everything goes. Names are raw. */
  directories?: ({ name: string } & DirectoryAttributes)[];
  /** Undefined: as they are. */
  owner: { uid: number; gid: number } | undefined;
  mode: number | undefined;
}

/** Writes the archive to stdout. */
export function copyPack({ name, skip, owner, mode, directories, ...selection }: CopyPackJob): void {
  enterRoot(selection.root);
  const prefix = directories?.at(-1)?.name ?? "";
  const excluded = excludedBy(selection);
  const writer = new TarWriter(new ByteSink(1));
  const packer = new Packer(writer);
  for (const { name: directory, ...attributes } of directories ?? []) packer.addDirectory(directory, attributes);
  for (const item of selected(selection)) {
    if (skip.includes(item.path)) continue;
    const keepsName = item.kind === "file" || selection.parents;
    const top = keepsName ? (name === undefined ? item.name : files.toRaw(name)) : "";
    walkItem(item, excluded, (path, relative, stat) => {
      const inner = [top, relative].filter(Boolean).join("/");
      // In a layer a name like this would delete another file.
      if (inner === "" || (directories && /(?:^|\/)\.wh\.[^/]*$/.test(inner))) return;
      const full = prefix === "" ? inner : `${prefix}/${inner}`;
      const isLink = (stat.mode & files.fileType.mask) === files.fileType.symlink;
      const bits = mode === undefined || isLink ? stat.mode : (stat.mode & files.fileType.mask) | mode;
      packer.add(path, full, { ...stat, ...owner, mode: bits });
    });
  }
  writer.end();
}
