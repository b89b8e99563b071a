/**
 * Brings a directory of the client's here, and only what of it has changed since the last time.
 * Source: moby/buildkit session/filesync; tonistiigi/fsutil.
 */
import {
  chmodSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { errorCode, invalidArgument } from "../../base/errors.ts";
import { kindOf, permissionsOf } from "../../buildkit-api/files/file-stat.ts";
import { type FileTarget, receiveFiles } from "../../buildkit-api/files/receive-files.ts";
import type { Metadata } from "../../buildkit-api/grpc/client.ts";
import type { Stat } from "../../buildkit-api/protocol/messages.ts";
import type { StatusProgress } from "../progress.ts";
import type { Session } from "./session.ts";

const method = "/moby.filesync.v1.FileSync/DiffCopy";

/** How long the daemon does nothing else. */
const maxTurnMillis = 5;

export interface SyncRequest {
  /** The client's name for the directory: `context`, `dockerfile`, or a named context's. */
  name: string;
  /** Where it is kept between builds, and of which this is the only user. */
  store: SyncStore;
  /** Patterns as in `.dockerignore`. */
  exclude: readonly string[];
  /** Only these paths and what links in them lead to; none: everything. */
  follow: readonly string[];
  progress: StatusProgress;
  signal: AbortSignal;
}

/** A directory and the list of what is in it, which is there only while it is true. */
export interface SyncStore {
  directory: string;
  index: string;
}

/** What is known of a file of the last time. */
type Known = Omit<Stat, "path" | "linkname" | "xattrs"> & { link: string };

/** Resolves when the directory is as the client's, with the bytes of its files. */
export async function syncFiles(session: Session, request: SyncRequest): Promise<number> {
  if (!session.supports(method)) throw invalidArgument(`no local sources enabled`);
  const metadata: Metadata = { "dir-name": request.name };
  if (request.exclude.length > 0) Object.assign(metadata, encoded("exclude-patterns", request.exclude));
  if (request.follow.length > 0) Object.assign(metadata, encoded("followpaths", request.follow));
  const call = session.client.open(method, metadata, request.signal);
  const copy = new StoredCopy(request);
  try {
    await receiveFiles(call.messages, copy);
    return copy.keep();
  } finally {
    call.cancel();
  }
}

/** Header values are ASCII: others are percent-encoded, and said to be. */
function encoded(key: string, values: readonly string[]): Metadata {
  if (values.every((value) => /^[\x20-\x7e]*$/.test(value))) return { [key]: [...values] };
  return { [key]: values.map(encodeURIComponent), [`${key}-encoded`]: "1" };
}

/** The directory here, which becomes as the client's. */
class StoredCopy implements FileTarget {
  readonly sender = "client";
  private readonly request: SyncRequest;
  private readonly root: Buffer;
  private readonly last: Map<string, Known>;
  private readonly now = new Map<string, Known>();
  /** Paths whose file was written anew: links to them are too. */
  private readonly renewed = new Set<string>();
  private received = 0;
  private since = performance.now();

  constructor(request: SyncRequest) {
    this.request = request;
    this.root = Buffer.from(`${request.store.directory}/`);
    this.last = readIndex(request.store);
    // From here on the list is not true.
    rmSync(request.store.index, { force: true });
  }

  before(length: number): Promise<void> | undefined {
    this.received += length;
    this.request.progress.update(this.received);
    // One read may bring hundreds of files: others have their turn between them.
    if (performance.now() - this.since <= maxTurnMillis) return undefined;
    return new Promise<void>((resolve) => {
      setImmediate(() => {
        this.since = performance.now();
        resolve();
      });
    });
  }

  entry(path: string, stat: Stat, hardLink: string | undefined): number | undefined {
    const { size, modTime, devmajor, devminor, mode, uid, gid } = stat;
    const link = Buffer.from(stat.linkname).toString("latin1");
    const known: Known = { size, modTime, devmajor, devminor, mode, uid, gid, link };
    const last = this.last.get(path);
    this.now.set(path, known);
    if (last && same(last, known) && !(hardLink !== undefined && this.renewed.has(hardLink))) return undefined;
    return this.make(path, stat, { last, hardLink });
  }

  written(path: string, stat: Stat): void {
    this.setAttributes(this.place(path), stat);
  }

  /** Removes what is no longer there, and gives directories the times that writing into them has changed. */
  complete(): void {
    for (const path of this.last.keys()) {
      // With a directory that went, or became a link, its files went too.
      if (!this.now.has(path) && this.isBelowDirectory(path))
        rmSync(this.place(path), { recursive: true, force: true });
    }
    for (const [path, known] of this.now) {
      if (kindOf(known) === "directory") utimesSync(this.place(path), known.modTime / 1e9, known.modTime / 1e9);
    }
  }

  /** Writes down what is here, for the next time. */
  keep(): number {
    writeFileSync(this.request.store.index, JSON.stringify([...this.now]));
    this.request.progress.complete(this.received);
    return [...this.now.values()].reduce((sum, known) => sum + (kindOf(known) === "file" ? known.size : 0), 0);
  }

  private make(
    path: string,
    stat: Stat,
    { last, hardLink }: { last: Known | undefined; hardLink: string | undefined },
  ): number | undefined {
    const kind = kindOf(stat);
    const target = this.place(path);
    if (last && !(kind === "directory" && kindOf(last) === "directory"))
      rmSync(target, { recursive: true, force: true });
    switch (kind) {
      case "directory":
        if (!last || kindOf(last) !== "directory") mkdirSync(target);
        this.setAttributes(target, stat);
        return undefined;
      case "link":
        symlinkSync(Buffer.from(stat.linkname), target);
        lchownSync(target, stat.uid, stat.gid);
        return undefined;
      case "file":
        if (hardLink === undefined) {
          this.renewed.add(path);
          return openSync(target, "wx", 0o600);
        }
        linkSync(this.place(hardLink), target);
        return undefined;
      default:
        // Sockets, pipes and devices are nothing that a build could copy.
        this.now.delete(path);
        return undefined;
    }
  }

  private setAttributes(target: Buffer, stat: Stat): void {
    if (stat.uid !== 0 || stat.gid !== 0) lchownSync(target, stat.uid, stat.gid);
    chmodSync(target, permissionsOf(stat));
    utimesSync(target, stat.modTime / 1e9, stat.modTime / 1e9);
  }

  private isBelowDirectory(path: string): boolean {
    const at = path.lastIndexOf("/");
    const parent = at < 0 ? undefined : this.now.get(path.slice(0, at));
    return at < 0 || (parent !== undefined && kindOf(parent) === "directory");
  }

  private place(path: string): Buffer {
    return Buffer.concat([this.root, Buffer.from(path, "latin1")]);
  }
}

function same(a: Known, b: Known): boolean {
  if (kindOf(a) === "directory" && kindOf(b) === "directory") {
    return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && a.modTime === b.modTime;
  }
  return (
    a.mode === b.mode &&
    a.size === b.size &&
    a.modTime === b.modTime &&
    a.uid === b.uid &&
    a.gid === b.gid &&
    a.link === b.link
  );
}

/** Without a true list everything that is there goes. */
function readIndex({ directory, index }: SyncStore): Map<string, Known> {
  try {
    return new Map(JSON.parse(readFileSync(index, "utf8")) as [string, Known][]);
  } catch (error) {
    if (errorCode(error) !== "ENOENT" && !(error instanceof SyntaxError)) throw error;
    rmSync(directory, { recursive: true, force: true });
    // Steps may see it, whoever runs in them; nobody else can reach it.
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    return new Map();
  }
}

/** The files of a store, below `parent`. */
export function syncStore(parent: string): SyncStore {
  return { directory: join(parent, "files"), index: join(parent, "index.json") };
}
