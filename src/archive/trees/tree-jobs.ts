/** The child's side of `docker cp` and `docker export` (container-tree.ts). */
import type { ContainerPathStat } from "../../api/containers.ts";
import { invalidArgument } from "../../base/errors.ts";
import * as files from "../../linux/files.ts";
import { ByteSink } from "../byte-sink.ts";
import { ByteSource } from "../byte-source.ts";
import { reportHead } from "../processes/child-protocol.ts";
import { enterRoot } from "../processes/confine.ts";
import { type PackedTimes, Packer } from "../tar/pack.ts";
import { TarReader } from "../tar/tar-reader.ts";
import { TarWriter } from "../tar/tar-writer.ts";
import { Unpacker } from "../tar/unpack.ts";
import type { PutOptions, TreeRoot } from "./container-tree.ts";
import { absolutePath, baseName, fileNotFound, followLinks, statIn, toPathStat } from "./tree-path.ts";
import { enterTree } from "./tree-root.ts";

export interface TreePathJob {
  verb: "tree-stat" | "tree-get";
  root: TreeRoot;
  path: string;
}

export function treeStat({ root, path }: TreePathJob): ContainerPathStat {
  enterTree(root);
  const absolute = absolutePath(files.toRaw(path));
  return toPathStat(absolute, statIn(absolute, path, root.name));
}

export function treeGet({ root, path }: TreePathJob): void {
  const foreign = enterTree(root);
  const absolute = absolutePath(files.toRaw(path));
  const stat = statIn(absolute, path, root.name);
  reportHead(toPathStat(absolute, stat));
  const writer = new TarWriter(new ByteSink(1));
  packTree(new Packer(writer), absolute.replace(/^\/\.\/?$/, "/"), archiveName(absolute), stat, foreign);
  writer.end();
}

/** Docker's rebased name: the last element of the path; the root's entries begin with a slash. */
function archiveName(path: string): string {
  const base = baseName(path);
  return base === "/" ? "" : base;
}

/** Directories in `foreign` are packed without their content, unless they are what was asked for. */
export function packTree(
  packer: Packer,
  path: string,
  name: string,
  stat: files.FileStat,
  foreign: ReadonlySet<string>,
): void {
  packer.add(path, name, stat);
  if (!files.isDirectory(stat)) return;
  for (const child of files.listNames(path).sort()) {
    const childPath = path.endsWith("/") ? path + child : `${path}/${child}`;
    const childStat = files.lstat(childPath);
    if (!childStat) continue;
    if (foreign.has(childPath)) packer.add(childPath, `${name}/${child}`, childStat);
    else packTree(packer, childPath, `${name}/${child}`, childStat, foreign);
  }
}

export interface TreePutJob extends Omit<PutOptions, "signal"> {
  verb: "tree-put";
  root: TreeRoot;
  path: string;
}

/** The uncompressed archive comes in on stdin. */
export function treePut({ root, path, noOverwriteDirNonDir, chown, readOnlyRootfs }: TreePutJob): void {
  enterTree(root);
  const { path: base, complete } = followLinks(absolutePath(files.toRaw(path)));
  if (!complete) throw fileNotFound(path, root.name);
  const stat = statIn(base, path, root.name);
  if (!files.isDirectory(stat)) {
    throw invalidArgument("extraction point is not a directory");
  }
  const volume = root.binds.find(({ destination }) => isWithin(base, followLinks(files.toRaw(destination)).path));
  if (volume?.readOnly) throw invalidArgument("mounted volume is marked read-only");
  if (!volume && readOnlyRootfs) throw invalidArgument("container rootfs is marked read-only");
  const reader = new TarReader(new ByteSource(0));
  new Unpacker({ base, whiteouts: false, noOverwriteDirNonDir, chown }).run(reader);
  reader.drain();
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || directory === "/" || path.startsWith(`${directory}/`);
}

export interface TreeExportJob {
  verb: "tree-export";
  rootfs: string;
  times?: PackedTimes | undefined;
}

/** The whole tree, names without a leading slash. */
export function treeExport({ rootfs, times }: TreeExportJob): void {
  enterRoot(rootfs);
  const writer = new TarWriter(new ByteSink(1));
  const packer = new Packer(writer, times);
  for (const name of files.listNames("/").sort()) {
    const stat = files.lstat(`/${name}`);
    if (stat) packTree(packer, `/${name}`, name, stat, new Set());
  }
  writer.end();
}
