/** The files of a build's output, brought into a directory; what is there already and has no such name stays. Source: tonistiigi/fsutil receive.go. */
import {
  chmodSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { kindOf, permissionsOf } from "../../buildkit-api/files/file-stat.ts";
import type { MessageStream } from "../../buildkit-api/grpc/stream.ts";
import { packet, packetTypes, type Stat } from "../../buildkit-api/protocol/messages.ts";
import { CliError } from "../command.ts";

export async function receiveDirectory(messages: MessageStream, directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true });
  using receiver = new Receiver(messages, directory);
  await receiver.run();
}

class Receiver implements Disposable {
  private readonly messages: MessageStream;
  private readonly root: string;
  private readonly directories: { path: string; stat: Stat }[] = [];
  private readonly known = new Set<string>();
  private readonly open = new Map<number, { descriptor: number; path: string; stat: Stat }>();
  private count = 0;

  constructor(messages: MessageStream, root: string) {
    this.messages = messages;
    this.root = root;
  }

  async run(): Promise<void> {
    let listed = false;
    for await (const message of this.messages) {
      const { type, stat, ID = 0, data = new Uint8Array() } = packet.decode(message);
      if (type === packetTypes.stat && stat) await this.make(this.count++, stat);
      else if (type === packetTypes.stat) listed = true;
      else if (type === packetTypes.data) this.write(ID, data);
      else if (type === packetTypes.error) throw new CliError(Buffer.from(data).toString());
      else if (type === packetTypes.end) break;
      if (!listed || this.open.size > 0) continue;
      listed = false;
      // Writing into a directory has changed its time.
      for (const { path, stat: last } of this.directories.reverse()) setTime(path, last);
      await this.messages.write(packet.encode({ type: packetTypes.end }));
    }
  }

  [Symbol.dispose](): void {
    for (const { descriptor } of this.open.values()) closeSync(descriptor);
  }

  private async make(id: number, stat: Stat): Promise<void> {
    const path = this.place(Buffer.from(stat.path).toString());
    const kind = kindOf(stat);
    const there = lstatSync(path, { throwIfNoEntry: false });
    if (there && !(kind === "directory" && there.isDirectory())) rmSync(path, { recursive: true, force: true });
    switch (kind) {
      case "directory":
        if (!there?.isDirectory()) mkdirSync(path);
        chmodSync(path, permissionsOf(stat));
        this.known.add(path);
        this.directories.push({ path, stat });
        return;
      case "link":
        return symlinkSync(Buffer.from(stat.linkname), path);
      case "file":
        if (stat.linkname.length > 0) return linkSync(this.place(Buffer.from(stat.linkname).toString()), path);
        this.open.set(id, { descriptor: openSync(path, "wx", 0o600), path, stat });
        return this.messages.write(packet.encode({ type: packetTypes.request, ID: id }));
      default:
      // Devices are nothing that anyone may make; pipes and sockets have no content.
    }
  }

  /** An empty piece ends the file. */
  private write(id: number, data: Uint8Array): void {
    const file = this.open.get(id);
    if (!file) throw new CliError(`the daemon sent a file that was not asked for: ${id}`);
    if (data.length > 0) {
      for (let at = 0; at < data.length; ) at += writeSync(file.descriptor, data, at);
      return;
    }
    this.open.delete(id);
    closeSync(file.descriptor);
    chmodSync(file.path, permissionsOf(file.stat));
    setTime(file.path, file.stat);
  }

  /** Only below directories that the daemon has listed: nothing leads out. */
  private place(name: string): string {
    const parts = name.split("/");
    const parent = join(this.root, ...parts.slice(0, -1));
    const isHostile = name.includes("\0") || parts.some((part) => ["", ".", ".."].includes(part));
    if (isHostile || (parts.length > 1 && !this.known.has(parent))) {
      throw new CliError(`the daemon sent an invalid path: ${JSON.stringify(name)}`);
    }
    return join(this.root, name);
  }
}

function setTime(path: string, { modTime }: Stat): void {
  utimesSync(path, modTime / 1e9, modTime / 1e9);
}
