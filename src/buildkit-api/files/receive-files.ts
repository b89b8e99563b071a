/**
 * Receives a directory: its list comes first, and what is asked for of its files. Both ends do it: the daemon with a build's context, the
 * client with a build's output. What becomes of an entry is the caller's. Source: tonistiigi/fsutil receive.go.
 */
import { closeSync, writeSync } from "node:fs";
import { internal, invalidArgument } from "../../base/errors.ts";
import type { MessageStream } from "../grpc/stream.ts";
import { packet, packetTypes, type Stat } from "../protocol/messages.ts";
import { kindOf } from "./file-stat.ts";

export interface FileTarget {
  /** Whose files these are, in errors. */
  readonly sender: "client" | "daemon";
  /**
   * An entry of the list; `path`, and `hardLink` if it is one to another entry, are raw strings and lie below directories that were listed
   * before. Returns an open descriptor for the content of a file that is wanted.
   */
  entry(path: string, stat: Stat, hardLink: string | undefined): number | undefined;
  /** The file's content is all there; its descriptor is closed. */
  written(path: string, stat: Stat): void;
  /** Everything is there. */
  complete(): void;
  /** Before each message, with its length. */
  before?(length: number): Promise<void> | undefined;
}

/** Resolves when the other side knows that everything is there. */
export async function receiveFiles(messages: MessageStream, target: FileTarget): Promise<void> {
  using receiver = new Receiver(messages, target);
  await receiver.run();
}

class Receiver implements Disposable {
  private readonly messages: MessageStream;
  private readonly target: FileTarget;
  /** Files that are being written, by the numbers of the list. */
  private readonly open = new Map<number, { descriptor: number; path: string; stat: Stat }>();
  private readonly directories = new Set<string>();
  private count = 0;
  private listed = false;

  constructor(messages: MessageStream, target: FileTarget) {
    this.messages = messages;
    this.target = target;
  }

  async run(): Promise<void> {
    for await (const message of this.messages) {
      await this.target.before?.(message.length);
      const { type, stat, ID = 0, data = new Uint8Array() } = packet.decode(message);
      if (type === packetTypes.stat && stat) await this.list(stat);
      else if (type === packetTypes.stat) this.listed = true;
      else if (type === packetTypes.data) this.write(ID, data);
      else if (type === packetTypes.error) throw internal(Buffer.from(data).toString());
      else if (type === packetTypes.end) return;
      if (!this.listed || this.open.size > 0) continue;
      this.listed = false;
      this.target.complete();
      await this.messages.write(packet.encode({ type: packetTypes.end }));
    }
  }

  [Symbol.dispose](): void {
    for (const { descriptor } of this.open.values()) closeSync(descriptor);
  }

  private async list(stat: Stat): Promise<void> {
    const ID = this.count++;
    const path = this.checkedPath(stat.path);
    const kind = kindOf(stat);
    if (kind === "directory") this.directories.add(path);
    else this.directories.delete(path);
    const isHardLink = kind === "file" && stat.linkname.length > 0;
    const descriptor = this.target.entry(path, stat, isHardLink ? this.checkedPath(stat.linkname) : undefined);
    if (descriptor === undefined) return;
    this.open.set(ID, { descriptor, path, stat });
    await this.messages.write(packet.encode({ type: packetTypes.request, ID }));
  }

  /** Only paths below directories that this listing has named: nothing leads out. */
  private checkedPath(bytes: Uint8Array): string {
    const path = Buffer.from(bytes).toString("latin1");
    const slash = path.lastIndexOf("/");
    const isHostile = path.includes("\0") || path.split("/").some((part) => ["", ".", ".."].includes(part));
    if (isHostile || (slash >= 0 && !this.directories.has(path.slice(0, slash)))) {
      const shown = JSON.stringify(Buffer.from(bytes).toString());
      throw invalidArgument(`the ${this.target.sender} sent an invalid path: ${shown}`);
    }
    return path;
  }

  /** An empty piece ends the file. */
  private write(id: number, data: Uint8Array): void {
    const file = this.open.get(id);
    if (!file) throw invalidArgument(`the ${this.target.sender} sent a file that was not asked for: ${id}`);
    if (data.length > 0) {
      for (let at = 0; at < data.length; ) at += writeSync(file.descriptor, data, at);
      return;
    }
    this.open.delete(id);
    closeSync(file.descriptor);
    this.target.written(file.path, file.stat);
  }
}
