/**
 * COPY and ADD over two roots that are not trusted: one process confined to the source packs the files under their new names, another
 * confined to the target unpacks them there. Semantics: moby builder/dockerfile/copy.go; Dockerfile reference, "COPY".
 */
import { statSync } from "node:fs";
import { posix } from "node:path";
import { ChildContainerTree } from "../../archive/child-container-tree.ts";
import { decompressor, detectCompression } from "../../archive/compression.ts";
import type { CopyScan, CopySelection } from "../../archive/copy-jobs.ts";
import { runChild, startChild } from "../../archive/run-child.ts";
import { parseHeader } from "../../archive/tar-header.ts";
import { invalidArgument } from "../../base/errors.ts";
import { makeDirectoryInRoot } from "../../linux/make-directory.ts";
import { resolveInRoot, withPathInRoot } from "../../linux/resolve.ts";
import { digestOf } from "../../oci/digest.ts";

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
export async function prepareCopy(request: CopyRequest, signal: AbortSignal): Promise<PreparedCopy> {
  const sources: ScannedSource[] = [];
  for (const source of request.sources) {
    const job = {
      verb: "copy-scan",
      ...selection(request, source),
      preserve: source.preserve,
      archives: source.extract,
    };
    const scan = (await runChild("__archive", job, signal)) as CopyScan;
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
  const { request, sources, count } = prepared;
  const kind = sources.find(({ scan }) => scan.count > 0)?.scan.kind;
  const archives = sources.reduce((sum, source) => sum + source.archives.length, 0);
  const intoDirectory =
    count > 1 || request.parents || kind === "directory" || archives > 0 || isDirectory(target, request.destination);
  const base = intoDirectory ? request.destination : posix.dirname(request.destination);
  makeDirectoryInRoot(target, base, { mode: 0o755, ...(owner ?? { uid: 0, gid: 0 }) });
  const name = intoDirectory ? undefined : posix.basename(request.destination);
  const tree = new ChildContainerTree();
  const root = { name: "", binds: [], rootfs: target };
  const options = { noOverwriteDirNonDir: true, readOnlyRootfs: false, signal };
  for (const source of sources) {
    const job = {
      verb: "copy-pack",
      ...selection(request, source),
      name,
      skip: source.archives,
      owner: owner ?? (source.preserve ? undefined : { uid: 0, gid: 0 }),
      mode: request.mode,
    };
    if (source.scan.count > source.archives.length) {
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

function selection({ parents, exclude }: CopyRequest, { root, paths, literal }: CopySource): CopySelection {
  return { root, paths, literal, exclude, parents };
}

function isDirectory(root: string, path: string): boolean {
  if (path.endsWith("/")) return true;
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
