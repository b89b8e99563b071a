/**
 * Brings a directory of the client's here, and only what of it has changed since the last time.
 * Source: moby/buildkit session/filesync; tonistiigi/fsutil receive.go, send.go.
 */
import {
  chmodSync,
  closeSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { errorCode, internal, invalidArgument } from "../../base/errors.ts";
import { kindOf, permissionsOf } from "../../buildkit-api/files/file-stat.ts";
import type { ClientCall, Metadata } from "../../buildkit-api/grpc/client.ts";
import { packet, packetTypes, type Stat } from "../../buildkit-api/protocol/messages.ts";
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
export async function receiveFiles(session: Session, request: SyncRequest): Promise<number> {
  if (!session.supports(method)) throw invalidArgument(`no local sources enabled`);
  const metadata: Metadata = { "dir-name": request.name };
  if (request.exclude.length > 0) Object.assign(metadata, encoded("exclude-patterns", request.exclude));
  if (request.follow.length > 0) Object.assign(metadata, encoded("followpaths", request.follow));
  const call = session.client.open(method, metadata, request.signal);
  const receiver = new Receiver(call, request);
  try {
    return await receiver.run();
  } finally {
    receiver.close();
    call.cancel();
  }
}

/** Header values are ASCII: others are percent-encoded, and said to be. */
function encoded(key: string, values: readonly string[]): Metadata {
  if (values.every((value) => /^[\x20-\x7e]*$/.test(value))) return { [key]: [...values] };
  return { [key]: values.map(encodeURIComponent), [`${key}-encoded`]: "1" };
}

class Receiver {
  private readonly call: ClientCall;
  private readonly request: SyncRequest;
  private readonly root: Buffer;
  private readonly before: Map<string, Known>;
  private readonly now = new Map<string, Known>();
  /** Paths whose file was written anew: links to them are too. */
  private readonly renewed = new Set<string>();
  private readonly files = new Map<number, { stat: Stat; path: string; descriptor: number }>();
  private count = 0;
  private listed = false;
  private received = 0;

  constructor(call: ClientCall, request: SyncRequest) {
    this.call = call;
    this.request = request;
    this.root = Buffer.from(`${request.store.directory}/`);
    this.before = readIndex(request.store);
  }

  async run(): Promise<number> {
    // From here on the list is not true.
    rmSync(this.request.store.index, { force: true });
    let since = performance.now();
    for await (const message of this.call.messages) {
      // One read may bring hundreds of files: others have their turn between them.
      if (performance.now() - since > maxTurnMillis) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        since = performance.now();
      }
      this.received += message.length;
      this.request.progress.update(this.received);
      const { type, stat, ID = 0, data = new Uint8Array() } = packet.decode(message);
      if (type === packetTypes.stat && stat) await this.list(stat);
      else if (type === packetTypes.stat) this.listed = true;
      else if (type === packetTypes.data) this.write(ID, data);
      else if (type === packetTypes.error) throw internal(Buffer.from(data).toString());
      else if (type === packetTypes.end) break;
      if (this.listed && this.files.size === 0) {
        this.listed = false;
        this.finish();
        await this.call.messages.write(packet.encode({ type: packetTypes.end }));
      }
    }
    writeFileSync(this.request.store.index, JSON.stringify([...this.now]));
    this.request.progress.complete(this.received);
    return [...this.now.values()].reduce((sum, known) => sum + (kindOf(known) === "file" ? known.size : 0), 0);
  }

  close(): void {
    for (const { descriptor } of this.files.values()) closeSync(descriptor);
    this.files.clear();
  }

  private async list(stat: Stat): Promise<void> {
    const id = this.count++;
    const path = this.checked(stat.path);
    const { size, modTime, devmajor, devminor, mode, uid, gid } = stat;
    const link = Buffer.from(stat.linkname).toString("latin1");
    const known: Known = { size, modTime, devmajor, devminor, mode, uid, gid, link };
    const last = this.before.get(path);
    this.now.set(path, known);
    const isHardLink = kindOf(stat) === "file" && link !== "";
    if (last && same(last, known) && !(isHardLink && this.renewed.has(link))) return;
    await this.make(id, path, stat, last);
  }

  private async make(id: number, path: string, stat: Stat, last: Known | undefined): Promise<void> {
    const kind = kindOf(stat);
    const target = this.place(path);
    if (last && !(kind === "directory" && kindOf(last) === "directory"))
      rmSync(target, { recursive: true, force: true });
    switch (kind) {
      case "directory":
        if (!last || kindOf(last) !== "directory") mkdirSync(target);
        break;
      case "link":
        symlinkSync(Buffer.from(stat.linkname), target);
        lchownSync(target, stat.uid, stat.gid);
        return;
      case "file": {
        if (stat.linkname.length > 0) return linkSync(this.place(this.checked(stat.linkname)), target);
        this.renewed.add(path);
        this.files.set(id, { stat, path, descriptor: openSync(target, "wx", 0o600) });
        await this.call.messages.write(packet.encode({ type: packetTypes.request, ID: id }));
        return;
      }
      default:
        // Sockets, pipes and devices are nothing that a build could copy.
        this.now.delete(path);
        return;
    }
    this.setAttributes(target, stat);
  }

  /** An empty piece ends the file. */
  private write(id: number, data: Uint8Array): void {
    const file = this.files.get(id);
    if (!file) throw invalidArgument(`the client sent a file that was not asked for: ${id}`);
    if (data.length > 0) {
      for (let at = 0; at < data.length; ) at += writeSync(file.descriptor, data, at);
      return;
    }
    this.files.delete(id);
    closeSync(file.descriptor);
    this.setAttributes(this.place(file.path), file.stat);
  }

  private setAttributes(target: Buffer, stat: Stat): void {
    if (stat.uid !== 0 || stat.gid !== 0) lchownSync(target, stat.uid, stat.gid);
    chmodSync(target, permissionsOf(stat));
    utimesSync(target, stat.modTime / 1e9, stat.modTime / 1e9);
  }

  /** Removes what is no longer there, and gives directories the times that writing into them has changed. */
  private finish(): void {
    for (const path of this.before.keys()) {
      // With a directory that went, or became a link, its files went too.
      if (!this.now.has(path) && this.isBelowDirectory(path))
        rmSync(this.place(path), { recursive: true, force: true });
    }
    for (const [path, known] of this.now) {
      if (kindOf(known) === "directory") utimesSync(this.place(path), known.modTime / 1e9, known.modTime / 1e9);
    }
  }

  /** Only paths below directories that this listing has named: nothing leads out. */
  private checked(bytes: Uint8Array): string {
    const path = Buffer.from(bytes).toString("latin1");
    const isHostile = path.includes("\0") || path.split("/").some((part) => ["", ".", ".."].includes(part));
    if (isHostile || !this.isBelowDirectory(path)) {
      throw invalidArgument(`the client sent an invalid path: ${JSON.stringify(Buffer.from(bytes).toString())}`);
    }
    return path;
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
