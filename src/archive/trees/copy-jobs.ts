/** The child's side of COPY and ADD: digesting files in a confined root, and bringing them under their new names into an
 * archive or a layer. */
import { closeSync, readSync } from "node:fs";
import type { IgnoreMatcher } from "../../dockerfile/ignore.ts";
import * as files from "../../linux/files.ts";
import { ByteSink } from "../byte-sink.ts";
import { parseMode } from "../file-mode.ts";
import type { UnpackLayerResult } from "../layers/layer-files.ts";
import { LayerMaker } from "../layers/layer-maker.ts";
import { enterRoot } from "../processes/confine.ts";
import { type DirectoryAttributes, Packer } from "../tar/pack.ts";
import { TarWriter } from "../tar/tar-writer.ts";
import { type CopyItem, type CopySelection, excludedBy, selected, walkItem } from "./copy-items.ts";
import { packAll, TreeCopier } from "./tree-copier.ts";
import { followLinks } from "./tree-path.ts";

export interface CopyScanRequest extends Omit<CopySelection, "root"> {
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

export interface CopyScanJob extends CopyScanRequest {
  verb: "copy-scan";
  root: string;
}

/** Throws Docker's words for what is not there. */
export function copyScan({ root, ...request }: CopyScanJob): CopyScan {
  enterRoot(root);
  return scan(request, contentsOf(root));
}

/** Digests of contents by inode and the time of its last change: a tree may be asked for again when files of it have been replaced. */
type Contents = Map<string, string>;

/** Of files that several requests ask for, each is read once. */
const known = new Map<string, Contents>();
const knownRoots = 8;

function contentsOf(root: string): Contents {
  const contents = known.get(root) ?? new Map<string, string>();
  known.set(root, contents);
  const [oldest] = known.keys();
  if (known.size > knownRoots && oldest !== undefined) known.delete(oldest);
  return contents;
}

function scan({ archives, ...selection }: CopyScanRequest, contents: Contents): CopyScan {
  const excluded = excludedBy(selection);
  const items = selected(selection);
  const digests = items.map((item) => digestItem(item, { excluded, preserve: selection.preserve, contents }));
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

/** As much as a tar header: compressed or not, an archive can be told by it. */
function headOf(path: string): string {
  const stat = files.stat(path);
  if (!stat || !files.isRegular(stat)) return "";
  const descriptor = files.open(path, files.openFlags.readOnly | 0o4000);
  try {
    const head = Buffer.alloc(512);
    return head.subarray(0, readSync(descriptor, head)).toString("hex");
  } finally {
    closeSync(descriptor);
  }
}

/** Names, types, modes, owners if they are kept, contents, link targets and capabilities; never times. */
function digestItem(
  item: CopyItem,
  { excluded, preserve, contents }: { excluded: IgnoreMatcher; preserve: boolean; contents: Contents },
): string {
  const hash = new Bun.CryptoHasher("sha256");
  const add = (path: string, name: string, stat: files.FileStat) => {
    const { mode, uid, gid, rdevMajor, rdevMinor } = stat;
    const owner = preserve ? `${uid}:${gid}` : "";
    const capability = files.getXattr(path, "security.capability")?.toString("hex") ?? "";
    hash.update(`${JSON.stringify([name, mode, owner, rdevMajor, rdevMinor, capability])}\n`);
    if (files.isSymlink(stat)) hash.update(files.readLink(path), "latin1");
    else if (files.isRegular(stat)) hash.update(contentDigest(path, stat, contents));
  };
  for (const { path, name } of item.above) {
    const stat = files.stat(path);
    if (stat) add(followLinks(path).path, name, stat);
  }
  walkItem(item, excluded, add);
  return `${item.kind === "directory" ? "dir" : "file"}:${hash.digest("hex")}`;
}

const chunk = Buffer.allocUnsafeSlow(1 << 20);

function contentDigest(path: string, stat: files.FileStat, contents: Contents): string {
  const { inode, deviceMajor, deviceMinor, size, ctime, ctimeNanos } = stat;
  const key = [deviceMajor, deviceMinor, inode, size, ctime, ctimeNanos].join(":");
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

export interface PackedDirectory extends DirectoryAttributes {
  name: string;
}

export interface CopyPackJob extends CopySelection {
  verb: "copy-pack";
  /** The name that the one file gets; undefined: each keeps its own, and of a directory only the content is packed. */
  name: string | undefined;
  /** Paths that are left out: archives, which are unpacked instead. */
  skip: string[];
  /** Undefined: as they are. */
  owner: { uid: number; gid: number } | undefined;
  /** As `--chmod` has it; undefined: modes stay. */
  mode: string | undefined;
}

export interface CopyLayerJob extends Omit<CopyPackJob, "verb"> {
  verb: "copy-layer";
  /** An empty directory, the layer's. */
  directory: string;
  /** The directories on the way, outermost first, below which everything goes. Names are raw. */
  directories: PackedDirectory[];
}

/** Writes the archive to stdout. */
export function copyPack({ verb: _, ...job }: CopyPackJob): void {
  enterRoot(job.root);
  const writer = new TarWriter(new ByteSink(1));
  packCopy(new Packer(writer), job, "");
  writer.end();
}

/** Fills the directory as a layer. */
export function copyLayer({ verb: _, directory, directories, ...job }: CopyLayerJob): UnpackLayerResult {
  using maker = new LayerMaker(directory, job.root);
  const packer = new Packer(maker);
  for (const made of directories) packer.addDirectory(made.name, made);
  packCopy(packer, job, `${directories.at(-1)?.name ?? ""}/`.replace(/^\/$/, ""), isWhiteout);
  maker.end();
  return maker.result();
}

export interface CopyTreeJob {
  verb: "copy-tree";
  from: string;
  /** An empty directory. */
  to: string;
}

/** All that is in a directory, as it is. */
export function copyTree({ from, to }: CopyTreeJob): void {
  using copier = new TreeCopier(to, from, { base: "/", whiteouts: false, noOverwriteDirNonDir: false });
  packAll(new Packer(copier));
  copier.end();
}

/** In a layer a name like this would delete another file. */
function isWhiteout(name: string): boolean {
  return /(?:^|\/)\.wh\.[^/]*$/.test(name);
}

/** Packs the files under their new names, `prefix` before each. */
function packCopy(
  packer: Packer,
  { name, skip, owner, mode, ...selection }: Omit<CopyPackJob, "verb">,
  prefix: string,
  isLeftOut: (name: string) => boolean = () => false,
): void {
  const excluded = excludedBy(selection);
  const change = mode === undefined ? undefined : parseMode(mode);
  const made = new Set<string>();
  const add = (path: string, inner: string, stat: files.FileStat) => {
    if (inner === "" || isLeftOut(inner)) return;
    const type = stat.mode & files.fileType.mask;
    const changes = change !== undefined && type !== files.fileType.symlink;
    const bits = changes ? type | change(stat.mode, files.isDirectory(stat)) : stat.mode;
    packer.add(path, prefix + inner, { ...stat, ...owner, mode: bits });
  };
  for (const item of selected(selection)) {
    if (skip.includes(item.path)) continue;
    for (const { path, name: directory } of item.above) {
      const stat = made.has(directory) ? undefined : files.stat(path);
      made.add(directory);
      if (stat) add(followLinks(path).path, directory, stat);
    }
    const keepsName = item.kind === "file" || selection.parents;
    const top = keepsName ? (name === undefined ? item.name : files.toRaw(name)) : "";
    walkItem(item, excluded, (path, relative, stat) => add(path, [top, relative].filter(Boolean).join("/"), stat));
  }
}
