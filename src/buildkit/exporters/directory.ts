/** The result's files into a directory of the client's. Source: moby/buildkit session/filesync; tonistiigi/fsutil send.go. */
import { closeSync, constants, lstatSync, openSync, readdirSync, readlinkSync, readSync, type Stats } from "node:fs";
import { invalidArgument } from "../../base/errors.ts";
import type { Epoch } from "../epoch.ts";
import type { BuiltResult } from "../frontend/frontend.ts";
import type { ClientCall } from "../grpc/client.ts";
import { type Exporter, packet, packetTypes, type Stat } from "../protocol/messages.ts";
import { goMode } from "../session/file-stat.ts";
import { epochOf } from "./dated.ts";
import { type ExportResponse, type ExportScope, withTree } from "./export.ts";
import { sendMethod } from "./send.ts";

const pieceSize = 32 * 1024;

export async function exportDirectory(
  exporter: Exporter,
  result: BuiltResult,
  scope: ExportScope,
): Promise<ExportResponse> {
  const { progress, index, signal } = scope;
  await progress.vertex("exporting to client directory").around((vertex) =>
    withTree(result, scope, async (directory) => {
      const session = await scope.session();
      if (!session.supports(sendMethod)) throw invalidArgument("the client takes no files");
      const copying = vertex.status("copying files");
      const call = session.client.open(sendMethod, { "buildkit-attachable-exporter-id": String(index) }, signal);
      try {
        copying.complete(await new Sender(call, directory, epochOf(exporter, result)).run());
      } finally {
        call.cancel();
      }
    }),
  );
  return {};
}

/** Lists everything, then sends the files that are asked for. */
class Sender {
  private readonly call: ClientCall;
  private readonly root: string | undefined;
  /** The time of all files. */
  private readonly epoch: Epoch;
  /** By the numbers of the list. */
  private readonly paths: Buffer[] = [];
  /** Inode → first path, of files with several links. */
  private readonly linked = new Map<string, Buffer>();
  private sent = 0;

  constructor(call: ClientCall, root: string | undefined, epoch: Epoch) {
    this.call = call;
    this.epoch = epoch;
    this.root = root;
  }

  /** Resolves with the number of bytes of the files that were sent. */
  async run(): Promise<number> {
    const { messages } = this.call;
    const listing = this.list();
    listing.catch(() => undefined);
    for await (const message of messages) {
      const { type, ID = 0, data = new Uint8Array() } = packet.decode(message);
      if (type === packetTypes.error) throw invalidArgument(Buffer.from(data).toString());
      if (type === packetTypes.request) await this.send(ID);
      if (type === packetTypes.end) {
        await listing;
        await messages.write(packet.encode({ type: packetTypes.end }));
        this.call.end();
      }
    }
    await listing;
    return this.sent;
  }

  private async list(): Promise<void> {
    if (this.root !== undefined) await this.listDirectory(Buffer.from(this.root), Buffer.alloc(0));
    await this.call.messages.write(packet.encode({ type: packetTypes.stat }));
  }

  /** In the order in which fsutil compares two trees: by name, a directory's files right behind it. */
  private async listDirectory(directory: Buffer, prefix: Buffer): Promise<void> {
    const names = readdirSync(directory, { encoding: "buffer" }).sort(Buffer.compare);
    for (const name of names) {
      const whole = Buffer.concat([directory, Buffer.from("/"), name]);
      const path = prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from("/"), name]);
      const stats = lstatSync(whole);
      this.paths.push(whole);
      await this.call.messages.write(packet.encode({ type: packetTypes.stat, stat: this.statOf(path, whole, stats) }));
      if (stats.isDirectory()) await this.listDirectory(whole, path);
    }
  }

  private statOf(path: Buffer, whole: Buffer, stats: Stats): Stat {
    return {
      path,
      mode: goMode(stats),
      uid: stats.uid,
      gid: stats.gid,
      size: stats.isFile() ? stats.size : 0,
      modTime: this.epoch === undefined ? Math.round(stats.mtimeMs * 1e6) : this.epoch * 1e9,
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
    if (!path) throw invalidArgument(`the client asked for a file that is not there: ${id}`);
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const piece = Buffer.alloc(pieceSize);
      for (;;) {
        const size = readSync(descriptor, piece, 0, pieceSize, null);
        // The empty piece ends the file.
        await this.call.messages.write(
          packet.encode({ type: packetTypes.data, ID: id, data: piece.subarray(0, size) }),
        );
        this.sent += size;
        if (size === 0) return;
      }
    } finally {
      closeSync(descriptor);
    }
  }
}
