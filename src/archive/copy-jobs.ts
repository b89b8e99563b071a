/** The child's side of COPY and ADD: digesting files in a confined root, and packing them under their new names. */
import { closeSync, readSync } from "node:fs";
import { type Bytes, lines } from "../base/streams.ts";
import type { IgnoreMatcher } from "../dockerfile/ignore.ts";
import * as files from "../linux/files.ts";
import { ByteSink, writeAll } from "./byte-sink.ts";
import { errorOf } from "./child-protocol.ts";
import { enterRoot } from "./confine.ts";
import { type CopyItem, type CopySelection, excludedBy, selected, walkItem } from "./copy-items.ts";
import { parseMode } from "./file-mode.ts";
import { type DirectoryAttributes, Packer } from "./pack.ts";
import { TarWriter } from "./tar-writer.ts";
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
function scan({ archives, ...selection }: CopyScanRequest): CopyScan {
  const excluded = excludedBy(selection);
  const items = selected(selection);
  const digests = items.map((item) => digestItem(item, excluded, selection.preserve));
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
function digestItem(item: CopyItem, excluded: IgnoreMatcher, preserve: boolean): string {
  const hash = new Bun.CryptoHasher("sha256");
  const add = (path: string, name: string, stat: files.FileStat) => {
    const { mode, uid, gid, rdevMajor, rdevMinor } = stat;
    const owner = preserve ? `${uid}:${gid}` : "";
    const capability = files.getXattr(path, "security.capability")?.toString("hex") ?? "";
    hash.update(`${JSON.stringify([name, mode, owner, rdevMajor, rdevMinor, capability])}\n`);
    if (files.isSymlink(stat)) hash.update(files.readLink(path), "latin1");
    else if (files.isRegular(stat)) hash.update(contentDigest(path, stat));
  };
  for (const { path, name } of item.above) {
    const stat = files.stat(path);
    if (stat) add(followLinks(path).path, name, stat);
  }
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

export type PackedDirectory = DirectoryAttributes & { name: string };

export interface CopyPackJob extends CopySelection {
  verb: "copy-pack";
  /** The name that the one file gets; undefined: each keeps its own, and of a directory only the content is packed. */
  name: string | undefined;
  /** Paths that are left out: archives, which are unpacked instead. */
  skip: string[];
  /** For a layer: the directories on the way, outermost first, below which everything goes. Names are raw. */
  directories?: PackedDirectory[];
  /** Undefined: as they are. */
  owner: { uid: number; gid: number } | undefined;
  /** As `--chmod` has it; undefined: modes stay. */
  mode: string | undefined;
}

/** Writes the archive to stdout. */
export function copyPack({ name, skip, owner, mode, directories, ...selection }: CopyPackJob): void {
  enterRoot(selection.root);
  const prefix = directories?.at(-1)?.name ?? "";
  const excluded = excludedBy(selection);
  const writer = new TarWriter(new ByteSink(1));
  const packer = new Packer(writer);
  for (const { name: directory, ...attributes } of directories ?? []) packer.addDirectory(directory, attributes);
  const change = mode === undefined ? undefined : parseMode(mode);
  const made = new Set<string>();
  const add = (path: string, inner: string, stat: files.FileStat) => {
    // In a layer a name like this would delete another file.
    if (inner === "" || (directories && /(?:^|\/)\.wh\.[^/]*$/.test(inner))) return;
    const type = stat.mode & files.fileType.mask;
    const changes = change !== undefined && type !== files.fileType.symlink;
    const bits = changes ? type | change(stat.mode, files.isDirectory(stat)) : stat.mode;
    packer.add(path, prefix === "" ? inner : `${prefix}/${inner}`, { ...stat, ...owner, mode: bits });
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
  writer.end();
}
