/**
 * Sends a directory: first the list of everything in it, then the files that the other side asks for. Both ends do it: the client with a
 * build's context, the daemon with a build's output. Source: tonistiigi/fsutil send.go.
 */
import { closeSync, constants, lstatSync, openSync, readdirSync, readlinkSync, readSync, type Stats } from "node:fs";
import { invalidArgument } from "../../base/errors.ts";
import type { MessageStream } from "../grpc/stream.ts";
import { packet, packetTypes, type Stat } from "../protocol/messages.ts";
import { goMode } from "./file-stat.ts";

/** What happens to a path: sent, left out with all below it, or left out unless something below it is sent. */
export type Choice = "send" | "skip" | "look";

export interface SendOptions {
  /** Gets paths relative to the root, as raw strings: one character for one byte. */
  choose?: (path: string) => Choice;
  /** Changes what the other side is told of a file. */
  change?: (stat: Stat) => Stat;
}

const pieceSize = 32 * 1024;

/** `root` undefined: nothing. Resolves, when the other side has all that it wants, with the number of bytes of the files that were sent. */
export async function sendFiles(
  messages: MessageStream,
  root: string | undefined,
  options: SendOptions = {},
): Promise<number> {
  return await new Sender(messages, root, options).run();
}

class Sender {
  private readonly messages: MessageStream;
  private readonly root: string | undefined;
  private readonly choose: (path: string) => Choice;
  private readonly change: (stat: Stat) => Stat;
  /** By the numbers of the list. */
  private readonly paths: Buffer[] = [];
  /** Inode → first path, of files with several links. */
  private readonly linked = new Map<string, Buffer>();
  /** Directories that are sent if something in them is. */
  private pending: { path: Buffer; whole: Buffer; stats: Stats }[] = [];
  private sent = 0;

  constructor(messages: MessageStream, root: string | undefined, options: SendOptions) {
    this.messages = messages;
    this.root = root;
    this.choose = options.choose ?? (() => "send");
    this.change = options.change ?? ((stat) => stat);
  }

  async run(): Promise<number> {
    const listing = this.list();
    listing.catch(() => undefined);
    for await (const message of this.messages) {
      const { type, ID = 0, data = new Uint8Array() } = packet.decode(message);
      if (type === packetTypes.error) throw invalidArgument(Buffer.from(data).toString());
      if (type === packetTypes.request) await this.send(ID);
      if (type !== packetTypes.end) continue;
      await listing;
      await this.messages.write(packet.encode({ type: packetTypes.end }));
      break;
    }
    await listing;
    return this.sent;
  }

  private async list(): Promise<void> {
    if (this.root !== undefined) await this.listDirectory(Buffer.from(this.root), Buffer.alloc(0));
    await this.messages.write(packet.encode({ type: packetTypes.stat }));
  }

  /** In the order in which fsutil compares two trees: by name, a directory's files right behind it. */
  private async listDirectory(directory: Buffer, prefix: Buffer): Promise<void> {
    const names = readdirSync(directory, { encoding: "buffer" }).sort(Buffer.compare);
    for (const name of names) {
      const whole = Buffer.concat([directory, Buffer.from("/"), name]);
      const path = prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from("/"), name]);
      const choice = this.choose(path.toString("latin1"));
      const stats = choice === "skip" ? undefined : lstatSync(whole, { throwIfNoEntry: false });
      if (!stats) continue;
      if (choice === "send") await this.listEntry(path, whole, stats);
      if (!stats.isDirectory()) continue;
      if (choice === "look") this.pending.push({ path, whole, stats });
      await this.listDirectory(whole, path);
      this.pending = this.pending.filter((entry) => entry.path !== path);
    }
  }

  private async listEntry(path: Buffer, whole: Buffer, stats: Stats): Promise<void> {
    const above = this.pending;
    this.pending = [];
    for (const entry of above) await this.listEntry(entry.path, entry.whole, entry.stats);
    this.paths.push(whole);
    const stat = this.change(this.statOf(path, whole, stats));
    await this.messages.write(packet.encode({ type: packetTypes.stat, stat }));
  }

  private statOf(path: Buffer, whole: Buffer, stats: Stats): Stat {
    return {
      path,
      mode: goMode(stats),
      uid: stats.uid,
      gid: stats.gid,
      size: stats.isFile() ? stats.size : 0,
      modTime: Math.round(stats.mtimeMs * 1e6),
      linkname: this.linkOf(path, whole, stats),
      devmajor: stats.rdev >> 8,
      devminor: stats.rdev & 0xff,
      xattrs: {},
    };
  }

  private linkOf(path: Buffer, whole: Buffer, stats: Stats): Buffer {
    if (stats.isSymbolicLink()) return readlinkSync(whole, { encoding: "buffer" });
    if (!stats.isFile() || stats.nlink < 2) return Buffer.alloc(0);
    const key = `${stats.dev}:${stats.ino}`;
    const first = this.linked.get(key);
    if (!first) this.linked.set(key, path);
    return first ?? Buffer.alloc(0);
  }

  private async send(id: number): Promise<void> {
    const path = this.paths[id];
    if (!path) throw invalidArgument(`a file was asked for that is not there: ${id}`);
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const piece = Buffer.alloc(pieceSize);
      for (;;) {
        const size = readSync(descriptor, piece, 0, pieceSize, null);
        // The empty piece ends the file.
        await this.messages.write(packet.encode({ type: packetTypes.data, ID: id, data: piece.subarray(0, size) }));
        this.sent += size;
        if (size === 0) return;
      }
    } finally {
      closeSync(descriptor);
    }
  }
}
