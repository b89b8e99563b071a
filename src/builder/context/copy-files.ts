/**
 * COPY and ADD over two roots that are not trusted: one process confined to the source packs the files under their new names, another
 * confined to the target unpacks them there. Semantics: moby builder/dockerfile/copy.go; Dockerfile reference, "COPY".
 */
import { readdirSync, type Stats, statSync } from "node:fs";
import { join, posix } from "node:path";
import { ChildContainerTree } from "../../archive/child-container-tree.ts";
import { decompressor, detectCompression } from "../../archive/compression.ts";
import type { CopyPackJob, CopyScan, CopySelection } from "../../archive/copy-jobs.ts";
import { startChild } from "../../archive/run-child.ts";
import { parseHeader } from "../../archive/tar-header.ts";
import { errorCode, invalidArgument } from "../../base/errors.ts";
import type { Bytes } from "../../base/streams.ts";
import { toRaw } from "../../linux/files.ts";
import { makeDirectoryInRoot } from "../../linux/make-directory.ts";
import { resolveInRoot, withPathInRoot } from "../../linux/resolve.ts";
import { digestOf } from "../../oci/digest.ts";
import type { CopyScanners } from "./copy-scanners.ts";

export interface CopySource {
  root: string;
  paths: string[];
  /** Names are what they are, not patterns. */
  literal: boolean;
  /** Owners stay as they are, unless the request says otherwise: files of an image. */
  preserve: boolean;
  /** Archives among them are unpacked. */
  extract: boolean;
}

export interface CopyRequest {
  name: "ADD" | "COPY";
  sources: CopySource[];
  /** Absolute; with a slash at its end it is a directory. */
  destination: string;
  mode: number | undefined;
  parents: boolean;
  exclude: string[];
}

interface ScannedSource extends CopySource {
  scan: CopyScan;
  archives: string[];
}

/** What is to be copied, looked at once. */
export interface PreparedCopy {
  request: CopyRequest;
  sources: ScannedSource[];
  count: number;
  /** Of names, modes, contents, and never times: `file:…`, `dir:…`, `multi:…`. */
  digest: string;
}

export interface Owner {
  uid: number;
  gid: number;
}

/** Rejects in Docker's words when nothing matches, and when several files would go to what is no directory. */
export async function prepareCopy(request: CopyRequest, scanners: CopyScanners): Promise<PreparedCopy> {
  const sources: ScannedSource[] = [];
  for (const source of request.sources) {
    const { parents, exclude } = request;
    const { paths, literal, preserve, extract } = source;
    const asked = { paths, literal, preserve, archives: extract, parents, exclude };
    const scan = await scanners.scan(source.root, asked);
    const archives: string[] = [];
    for (const { path, head } of scan.archives) {
      if (await isArchive(source.root, path, Buffer.from(head, "hex"))) archives.push(path);
    }
    sources.push({ ...source, scan, archives });
  }
  const count = sources.reduce((sum, { scan }) => sum + scan.count, 0);
  if (count === 0) throw invalidArgument("no source files were specified");
  const [only] = sources;
  const digest =
    only && sources.length === 1
      ? only.scan.digest
      : `multi:${digestOf(Buffer.from(sources.map(({ scan }) => scan.digest).join(","))).slice("sha256:".length)}`;
  return { request, sources, count, digest };
}

/** Copies into the mounted tree `target`. New directories on the way are the owner's, mode 0755. */
export async function copyFiles(
  prepared: PreparedCopy,
  { target, owner, signal }: { target: string; owner: Owner | undefined; signal: AbortSignal },
): Promise<void> {
  const { request, sources } = prepared;
  const { base, name } = place(prepared, target);
  makeDirectoryInRoot(target, base, { mode: 0o755, ...(owner ?? rootUser) });
  const tree = new ChildContainerTree();
  const root = { name: "", binds: [], rootfs: target };
  const options = { noOverwriteDirNonDir: true, readOnlyRootfs: false, signal };
  for (const source of sources) {
    if (source.scan.count > source.archives.length) {
      const job = packJob(request, source, { name, owner });
      const packing = startChild("__archive", job, { stdout: "stream", signal });
      await tree.putArchive(root, base, packing.output, options);
      await packing.result;
    }
    for (const path of source.archives) {
      const file = Bun.file(resolveInRoot(source.root, path));
      await tree.putArchive(root, base, file.stream(), { ...options, chown: owner });
    }
  }
}

/**
 * The layer's archive of a copy that meets nothing in `target`, the tree that it goes on top of (undefined: an empty one): no file
 * of it has to be written twice then. Undefined: what is there has to be considered, `copyFiles` does.
 */
export function copyArchive(
  prepared: PreparedCopy,
  { target, owner, signal }: { target: string | undefined; owner: Owner | undefined; signal: AbortSignal },
): Bytes | undefined {
  const { request, sources } = prepared;
  const [source] = sources;
  if (!source || sources.length > 1 || source.archives.length > 0) return undefined;
  const { base, name } = place(prepared, target);
  const directories = directoriesOf(target, base, owner ?? rootUser);
  if (!directories || meets(target, base, name)) return undefined;
  const job = { ...packJob(request, source, { name, owner }), directories };
  return startChild("__archive", job, { stdout: "stream", signal }).output;
}

const rootUser: Owner = { uid: 0, gid: 0 };

/** The directory that everything goes into, and the name of a single file there. */
function place(
  { request, sources, count }: PreparedCopy,
  target: string | undefined,
): { base: string; name: string | undefined } {
  const kind = sources.find(({ scan }) => scan.count > 0)?.scan.kind;
  const hasArchives = sources.some(({ archives }) => archives.length > 0);
  const { destination, parents } = request;
  const intoDirectory = count > 1 || parents || kind === "directory" || hasArchives || isDirectory(target, destination);
  if (intoDirectory) return { base: destination, name: undefined };
  return { base: posix.dirname(destination), name: posix.basename(destination) };
}

function packJob(
  request: CopyRequest,
  source: ScannedSource,
  { name, owner }: { name: string | undefined; owner: Owner | undefined },
): object {
  return {
    verb: "copy-pack",
    ...selection(request, source),
    name,
    skip: source.archives,
    owner: owner ?? (source.preserve ? undefined : rootUser),
    mode: request.mode,
  };
}

/** The directories down to `base`, links followed: those that are there with their attributes. Undefined: there is something else. */
function directoriesOf(target: string | undefined, base: string, owner: Owner): CopyPackJob["directories"] {
  const now = Math.floor(Date.now() / 1000);
  const made = { mode: 0o755, ...owner, mtime: now };
  const found: NonNullable<CopyPackJob["directories"]> = [];
  let real = "";
  let exists = target !== undefined;
  for (const name of base.split("/").filter(Boolean)) {
    const path: string = `${real}/${name}`;
    const known = exists ? lookUp(target as string, path) : undefined;
    if (known && !known.stat.isDirectory()) return undefined;
    // A link leads to a place whose own parents have not been looked at.
    if (known && known.path !== path) return directoriesOf(target, known.path + base.slice(path.length), owner);
    exists = known !== undefined;
    real = path;
    const { stat } = known ?? {};
    const attributes = stat && {
      mode: stat.mode & 0o7777,
      uid: stat.uid,
      gid: stat.gid,
      mtime: Math.floor(stat.mtimeMs / 1000),
    };
    found.push({ name: toRaw(real.slice(1)), ...(attributes ?? made) });
  }
  const last = found.at(-1);
  if (last) last.mtime = now;
  return found;
}

/** What is at a path, links followed inside the root, and its path there; undefined: nothing, or a link that leads nowhere. */
function lookUp(root: string, path: string): { stat: Stats; path: string } | undefined {
  try {
    const real = resolveInRoot(root, path);
    return { stat: statSync(real), path: real.slice(root.length) || "/" };
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ELOOP"].includes(errorCode(error) ?? "")) return undefined;
    throw error;
  }
}

/** True when a file of the copy could take the place of one that is there. */
function meets(target: string | undefined, base: string, name: string | undefined): boolean {
  if (target === undefined) return false;
  const known = lookUp(target, base);
  if (!known) return false;
  const names = readdirSync(join(target, known.path));
  return name === undefined ? names.length > 0 : names.includes(name);
}

function selection({ parents, exclude }: CopyRequest, { root, paths, literal }: CopySource): CopySelection {
  return { root, paths, literal, exclude, parents };
}

function isDirectory(root: string | undefined, path: string): boolean {
  if (path.endsWith("/")) return true;
  if (root === undefined) return false;
  try {
    return withPathInRoot(root, path, (pinned) => statSync(pinned).isDirectory());
  } catch {
    return false;
  }
}

/** As moby: what unpacks to something that begins with a tar header. */
async function isArchive(root: string, path: string, head: Buffer): Promise<boolean> {
  const kind = detectCompression(head);
  if (kind === "none") return isTarHeader(head);
  const child = Bun.spawn(decompressor(kind), {
    stdin: Bun.file(resolveInRoot(root, path)),
    stdout: "pipe",
    stderr: "ignore",
  });
  try {
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of child.stdout) {
      parts.push(part);
      size += part.length;
      if (size >= 512) break;
    }
    return isTarHeader(Buffer.concat(parts).subarray(0, 512));
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
}

function isTarHeader(block: Buffer): boolean {
  if (block.length < 512 || block.every((byte) => byte === 0)) return false;
  try {
    parseHeader(block);
    return true;
  } catch {
    return false;
  }
}
