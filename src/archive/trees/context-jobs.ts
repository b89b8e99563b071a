/** The child's side of build contexts: unpacking one, and leaving out what its `.dockerignore` says. */
import { closeSync, readSync } from "node:fs";
import { IgnoreMatcher, parseIgnoreFile } from "../../dockerfile/ignore.ts";
import * as files from "../../linux/files.ts";
import type { ByteSource } from "../byte-source.ts";
import { enterOpenRoot, enterRoot, openRoot } from "../processes/confine.ts";
import { Packer } from "../tar/pack.ts";
import { TarReader } from "../tar/tar-reader.ts";
import { cleanPath, Unpacker } from "../tar/unpack.ts";
import { removeTree } from "./remove-tree.ts";
import { packAll, TreeCopier } from "./tree-copier.ts";

export interface UnpackContextJob {
  verb: "unpack-context";
  directory: string;
  /** Its own ignore file, `NAME.dockerignore`, comes before `.dockerignore`. */
  dockerfile: string;
  /** `directory` is in memory: a context that takes more bytes of it than `limit` goes to this one. */
  spill?: { directory: string; limit: number };
}

const asTheyAre = { base: "/", whiteouts: false, noOverwriteDirNonDir: false };

/** The uncompressed archive is the input. */
export function unpackContext(job: UnpackContextJob, input: () => ByteSource): { spilled: boolean } {
  const { directory, dockerfile, spill } = job;
  const other = spill && { ...spill, root: openRoot(spill.directory), home: openRoot("/") };
  enterRoot(directory);
  const reader = new TarReader(input());
  const unpacker = new Unpacker(asTheyAre);
  let taken = 0;
  let spilled = false;
  unpacker.run(reader, ({ size }) => {
    taken += perEntry + Math.ceil(size / pageSize) * pageSize;
    if (!other || spilled || taken <= other.limit) return;
    enterOpenRoot(other.home);
    moveContext(directory, other.directory);
    enterOpenRoot(other.root);
    spilled = true;
  });
  reader.drain();
  applyIgnoreFile(dockerfile, { received: true });
  for (const descriptor of other ? [other.root, other.home] : []) closeSync(descriptor);
  return { spilled };
}

/** What a file takes in memory beside its content, roughly, in bytes. */
const perEntry = 1024;
const pageSize = 4096;

/** Copies what has come so far. Directories get their times when the whole context has come. */
function moveContext(from: string, to: string): void {
  using copier = new TreeCopier(to, from, asTheyAre);
  packAll(new Packer(copier));
}

export interface IgnoreContextJob {
  verb: "ignore-context";
  directory: string;
  dockerfile: string;
}

/** For contexts that did not come as an archive. */
export function ignoreContext({ directory, dockerfile }: IgnoreContextJob): void {
  enterRoot(directory);
  applyIgnoreFile(dockerfile, { received: false });
}

/**
 * Clients apply `.dockerignore` before they send; of what was received nevertheless Docker only takes away that file itself and the
 * Dockerfile, which have to be sent. A Dockerfile's own ignore file is one that the classic client does not know.
 */
function applyIgnoreFile(given: string, { received }: { received: boolean }): void {
  const dockerfile = given === "Dockerfile" && !files.lstat("/Dockerfile") ? "dockerfile" : given;
  const own = readSmall(`/${files.toRaw(dockerfile)}.dockerignore`);
  const text = own ?? readSmall("/.dockerignore");
  if (text === undefined) return;
  const matcher = new IgnoreMatcher(parseIgnoreFile(text));
  const raw = cleanPath(`/${files.toRaw(dockerfile)}`).slice(1);
  if (own !== undefined || !received) {
    removeIgnored("", matcher, raw);
    return;
  }
  if (matcher.matches(dockerfile) && files.lstat(`/${raw}`)) files.rename(`/${raw}`, `/${hiddenDockerfile}`);
  if (matcher.matches(".dockerignore")) removeTree("/.dockerignore");
}

/** Also the Dockerfile goes, once it has been read: `keep` names it. */
function removeIgnored(directory: string, matcher: IgnoreMatcher, keep: string): void {
  for (const name of files.listNames(`/${directory}`)) {
    const path = directory === "" ? name : `${directory}/${name}`;
    const stat = files.lstat(`/${path}`);
    if (!stat) continue;
    const shown = files.fromRaw(path);
    const ignored = matcher.matches(shown);
    if (ignored && path === keep) files.rename(`/${path}`, `/${hiddenDockerfile}`);
    else if (
      ignored &&
      !(files.isDirectory(stat) && (keep.startsWith(`${path}/`) || matcher.mayHoldExceptions(shown)))
    ) {
      removeTree(`/${path}`);
    } else if (files.isDirectory(stat)) {
      removeIgnored(path, matcher, keep);
      if (ignored && files.listNames(`/${path}`).length === 0) files.removeDirectory(`/${path}`);
    }
  }
}

/** Where a Dockerfile goes that is not to be copied: a name that no COPY brings along. */
export const hiddenDockerfile = ".gantry-dockerfile";

function readSmall(path: string): string | undefined {
  const stat = files.stat(path);
  if (!stat || !files.isRegular(stat) || stat.size > 16 << 20) return undefined;
  const descriptor = files.open(path, files.openFlags.readOnly);
  try {
    const content = Buffer.alloc(stat.size);
    readSync(descriptor, content);
    return content.toString();
  } finally {
    closeSync(descriptor);
  }
}
