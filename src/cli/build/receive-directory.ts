/** The files of a build's output, brought into a directory; what is there already and has no such name stays. */
import { chmodSync, linkSync, lstatSync, mkdirSync, openSync, rmSync, symlinkSync, utimesSync } from "node:fs";
import { kindOf, permissionsOf } from "../../buildkit-api/files/file-stat.ts";
import { type FileTarget, receiveFiles } from "../../buildkit-api/files/receive-files.ts";
import type { MessageStream } from "../../buildkit-api/grpc/stream.ts";
import type { Stat } from "../../buildkit-api/protocol/messages.ts";

export async function receiveDirectory(messages: MessageStream, directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true });
  await receiveFiles(messages, new OutputDirectory(directory));
}

class OutputDirectory implements FileTarget {
  readonly sender = "daemon";
  private readonly root: Buffer;
  private readonly directories: { place: Buffer; stat: Stat }[] = [];

  constructor(root: string) {
    this.root = Buffer.from(`${root}/`);
  }

  entry(path: string, stat: Stat, hardLink: string | undefined): number | undefined {
    const place = this.place(path);
    const kind = kindOf(stat);
    const there = lstatSync(place, { throwIfNoEntry: false });
    if (there && !(kind === "directory" && there.isDirectory())) rmSync(place, { recursive: true, force: true });
    switch (kind) {
      case "directory":
        if (!there?.isDirectory()) mkdirSync(place);
        chmodSync(place, permissionsOf(stat));
        this.directories.push({ place, stat });
        return undefined;
      case "link":
        symlinkSync(Buffer.from(stat.linkname), place);
        return undefined;
      case "file":
        if (hardLink === undefined) return openSync(place, "wx", 0o600);
        linkSync(this.place(hardLink), place);
        return undefined;
      default:
        // Devices are nothing that anyone may make; pipes and sockets have no content.
        return undefined;
    }
  }

  written(path: string, stat: Stat): void {
    const place = this.place(path);
    chmodSync(place, permissionsOf(stat));
    setTime(place, stat);
  }

  complete(): void {
    // Writing into a directory has changed its time.
    for (const { place, stat } of this.directories.reverse()) setTime(place, stat);
  }

  private place(path: string): Buffer {
    return Buffer.concat([this.root, Buffer.from(path, "latin1")]);
  }
}

function setTime(place: Buffer, { modTime }: Stat): void {
  utimesSync(place, modTime / 1e9, modTime / 1e9);
}
