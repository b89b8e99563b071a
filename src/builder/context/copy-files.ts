/**
 * COPY and ADD over two roots that are not trusted: one process confined to the source packs the files under their new names, another
 * confined to the target unpacks them there. Semantics: moby builder/dockerfile/copy.go; Dockerfile reference, "COPY".
 */
import { closeSync, constants, openSync } from "node:fs";
import { posix } from "node:path";
import { decompressor, detectCompression } from "../../archive/compression.ts";
import { parseMode } from "../../archive/file-mode.ts";
import type { JobWorkers } from "../../archive/processes/job-workers.ts";
import { startChild } from "../../archive/processes/run-child.ts";
import { parseHeader } from "../../archive/tar/tar-header.ts";
import { ChildContainerTree } from "../../archive/trees/child-container-tree.ts";
import type { CopySelection } from "../../archive/trees/copy-items.ts";
import type { CopyLayerJob, CopyPackJob, CopyScan, CopyScanRequest } from "../../archive/trees/copy-jobs.ts";
import { invalidArgument } from "../../base/errors.ts";
import { makeDirectoryInRoot } from "../../linux/make-directory.ts";
import { digestOf } from "../../oci/digest.ts";
import type { Owner } from "../steps/owner.ts";
import { directoriesOf, followDestination } from "./destination.ts";

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
  /** As `--chmod` has it. */
  mode: string | undefined;
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

/** Rejects in Docker's words when nothing matches, and when several files would go to what is no directory. */
export async function prepareCopy(request: CopyRequest, workers: JobWorkers): Promise<PreparedCopy> {
  const sources: ScannedSource[] = [];
  for (const source of request.sources) {
    const scan = await scanFiles(workers, { ...selection(request, source), archives: source.extract });
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

/** Looks at the files that a COPY names. Rejects in Docker's words for what is not there. The tree must not change during the build. */
export async function scanFiles(workers: JobWorkers, request: CopyScanRequest & { root: string }): Promise<CopyScan> {
  return (await workers.run({ verb: "copy-scan", ...request })) as CopyScan;
}

/** Copies into the mounted tree `target`. New directories on the way are the owner's, mode 0755 or what `--chmod` says. */
export async function copyFiles(
  prepared: PreparedCopy,
  { target, owner, signal }: { target: string; owner: Owner | undefined; signal: AbortSignal },
): Promise<void> {
  const { request, sources } = prepared;
  const { base, name } = place(prepared, target);
  makeDirectoryInRoot(target, base, { mode: directoryMode(request), ...(owner ?? rootUser) });
  const tree = new ChildContainerTree();
  const root = { name: "", binds: [], rootfs: target };
  const options = { noOverwriteDirNonDir: false, readOnlyRootfs: false, signal };
  for (const source of sources) {
    if (source.scan.count > source.archives.length) {
      const job = { verb: "copy-pack", ...packJob(request, source, { name, owner }) };
      const packing = startChild("__archive", job, { stdout: "stream", signal });
      await tree.putArchive(root, base, packing.output, options);
      await packing.result;
    }
    for (const path of source.archives) {
      using file = openRaw(source.root, path);
      await tree.putArchive(root, base, Bun.file(file.descriptor).stream(), { ...options, chown: owner });
    }
  }
}

/**
 * The job that makes the layer of a copy at once, without writing any file twice: on top of other layers, what is copied takes the
 * place of what it meets just as it would in a mounted tree. `target`: the tree that it goes on top of; undefined: an empty one.
 * Undefined for what has to be unpacked or comes from several places: `copyFiles` does that.
 */
export function copyLayerJob(
  prepared: PreparedCopy,
  { target, owner }: { target: string | undefined; owner: Owner | undefined },
): Omit<CopyLayerJob, "directory"> | undefined {
  const { request, sources } = prepared;
  const [source] = sources;
  if (!source || sources.length > 1 || source.archives.length > 0) return undefined;
  const { base, name } = place(prepared, target);
  const directories = directoriesOf(target, base, { mode: directoryMode(request), ...(owner ?? rootUser) });
  return { verb: "copy-layer", ...packJob(request, source, { name, owner }), directories };
}

/** Of directories that a copy makes on its way: `--chmod` is for them too, as in BuildKit. */
function directoryMode({ mode }: CopyRequest): number {
  return mode === undefined ? 0o755 : parseMode(mode)(0o755, true);
}

const rootUser: Owner = { uid: 0, gid: 0 };

/** The directory that everything goes into, and the name of a single file there. Links are followed, also one that leads nowhere. */
function place(
  { request, sources, count }: PreparedCopy,
  target: string | undefined,
): { base: string; name: string | undefined } {
  const kind = sources.find(({ scan }) => scan.count > 0)?.scan.kind;
  const hasArchives = sources.some(({ archives }) => archives.length > 0);
  const { path, stat } = followDestination(target, request.destination);
  const isDirectory = request.destination.endsWith("/") || stat?.isDirectory() === true;
  const brings = count > 1 || request.parents || kind === "directory" || hasArchives;
  if (brings && stat && !stat.isDirectory()) {
    throw invalidArgument(`${kind === "directory" ? "failed to copy directory: " : ""}mkdir ${path}: not a directory`);
  }
  if (brings || isDirectory) return { base: path, name: undefined };
  return { base: posix.dirname(path), name: posix.basename(path) };
}

function packJob(
  request: CopyRequest,
  source: ScannedSource,
  { name, owner }: { name: string | undefined; owner: Owner | undefined },
): Omit<CopyPackJob, "verb"> {
  return {
    ...selection(request, source),
    name,
    skip: source.archives,
    owner: owner ?? (source.preserve ? undefined : rootUser),
    mode: request.mode,
  };
}

function selection({ parents, exclude }: CopyRequest, source: CopySource): CopySelection {
  const { root, paths, literal, preserve } = source;
  return { root, paths, literal, preserve, exclude, parents };
}

/** Opens a file whose raw path has been found to be free of links. */
function openRaw(root: string, path: string): Disposable & { descriptor: number } {
  const whole = Buffer.concat([Buffer.from(root), Buffer.from(path, "latin1")]);
  const descriptor = openSync(whole, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  return { descriptor, [Symbol.dispose]: () => closeSync(descriptor) };
}

/** As moby: what unpacks to something that begins with a tar header. */
async function isArchive(root: string, path: string, head: Buffer): Promise<boolean> {
  const kind = detectCompression(head);
  if (kind === "none") return isTarHeader(head);
  using file = openRaw(root, path);
  const child = Bun.spawn(decompressor(kind), { stdin: file.descriptor, stdout: "pipe", stderr: "ignore" });
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
