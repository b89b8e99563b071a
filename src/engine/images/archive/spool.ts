/** A file for the parts of an archive that must wait on disk, written once and read by offset.. */
import { type FileHandle, mkdir, open, unlink } from "node:fs/promises";
import { join } from "node:path";
import { newId } from "../../../base/ids.ts";
import type { Bytes } from "../../../base/streams.ts";

export interface SpooledPart {
  path: string;
  offset: number;
  size: number;
}

export class Spool implements AsyncDisposable {
  private readonly directory: string;
  private path: string | undefined;
  private file: FileHandle | undefined;
  private end = 0;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Appends content and says where it is. One call at a time. */
  async append(content: Bytes): Promise<SpooledPart> {
    this.file ??= await this.create();
    const offset = this.end;
    let pending: Uint8Array[] = [];
    let pendingSize = 0;
    const flush = async () => {
      await this.file?.writev(pending, this.end);
      this.end += pendingSize;
      pending = [];
      pendingSize = 0;
    };
    for await (const chunk of content) {
      pending.push(chunk);
      pendingSize += chunk.length;
      if (pendingSize >= 1 << 20) await flush();
    }
    if (pendingSize > 0) await flush();
    return { path: this.path as string, offset, size: this.end - offset };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.file?.close();
    if (this.path) await unlink(this.path).catch(() => undefined);
  }

  private async create(): Promise<FileHandle> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    this.path = join(this.directory, `archive-${newId().slice(0, 12)}`);
    return open(this.path, "wx", 0o600);
  }
}
