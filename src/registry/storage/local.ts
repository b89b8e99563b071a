/**
 * Storage in a local directory: `blobs/<key>` and `uploads/<id>`, one file each. A commit syncs the file, renames it into place and syncs
 * the directory, so a blob is whole or not there, whenever the machine stops.
 */
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorCode } from "../../base/errors.ts";
import type { StorageDriver, StoredObject, UploadWriter } from "./driver.ts";

const readSize = 1 << 20;

export class LocalDriver implements StorageDriver {
  private readonly blobs: string;
  private readonly uploads: string;
  /** Directories known to exist and to be durable. */
  private readonly made = new Set<string>();

  private constructor(root: string) {
    this.blobs = join(root, "blobs");
    this.uploads = join(root, "uploads");
  }

  /** Makes the directories. */
  static async open(root: string): Promise<LocalDriver> {
    const driver = new LocalDriver(root);
    await mkdir(driver.blobs, { recursive: true, mode: 0o700 });
    await mkdir(driver.uploads, { recursive: true, mode: 0o700 });
    return driver;
  }

  async stat(key: string): Promise<number | undefined> {
    return (await ifPresent(stat(join(this.blobs, key))))?.size;
  }

  async body(key: string, start: number, end: number): Promise<Blob> {
    return Bun.file(join(this.blobs, key)).slice(start, end);
  }

  link(): undefined {}

  async upload(id: string, create: boolean): Promise<UploadWriter | undefined> {
    const path = join(this.uploads, id);
    const file = create ? await open(path, "wx", 0o600) : await ifPresent(open(path, "r+"));
    if (!file) return undefined;
    return new LocalWriter(file, create ? 0 : (await file.stat()).size);
  }

  async *readUpload(id: string): AsyncIterable<Uint8Array> {
    const file = await open(join(this.uploads, id), "r");
    try {
      const buffer = new Uint8Array(readSize);
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, readSize);
        if (bytesRead === 0) return;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }

  async commit(id: string, key: string): Promise<void> {
    const from = join(this.uploads, id);
    const to = join(this.blobs, key);
    await syncPath(from);
    await this.makeDirectory(dirname(to));
    await rename(from, to);
    await syncPath(dirname(to));
  }

  async abort(id: string): Promise<void> {
    await rm(join(this.uploads, id), { force: true });
  }

  async remove(key: string): Promise<void> {
    await rm(join(this.blobs, key), { force: true });
  }

  async *list(): AsyncIterable<StoredObject> {
    for (const algorithm of await readdir(this.blobs)) {
      for (const prefix of await readdir(join(this.blobs, algorithm))) {
        yield* objectsIn(join(this.blobs, algorithm, prefix), `${algorithm}/${prefix}/`);
      }
    }
  }

  async *listUploads(): AsyncIterable<StoredObject> {
    yield* objectsIn(this.uploads, "");
  }

  async probe(): Promise<void> {
    const path = join(this.uploads, `.probe-${process.pid}`);
    await writeFile(path, "probe");
    await rm(path, { force: true });
  }

  /** A new directory is durable only when its parent is synced too. */
  private async makeDirectory(path: string): Promise<void> {
    if (this.made.has(path)) return;
    await mkdir(path, { recursive: true, mode: 0o700 });
    await syncPath(dirname(path));
    await syncPath(this.blobs);
    this.made.add(path);
  }
}

class LocalWriter implements UploadWriter {
  private readonly file: FileHandle;
  private offset: number;
  private open = true;

  constructor(file: FileHandle, offset: number) {
    this.file = file;
    this.offset = offset;
  }

  get size(): number {
    return this.offset;
  }

  async write(chunk: Uint8Array): Promise<void> {
    let done = 0;
    while (done < chunk.length) {
      const { bytesWritten } = await this.file.write(chunk, done, chunk.length - done, this.offset);
      done += bytesWritten;
      this.offset += bytesWritten;
    }
  }

  async close(): Promise<void> {
    if (!this.open) return;
    this.open = false;
    await this.file.close();
  }
}

async function* objectsIn(directory: string, prefix: string): AsyncIterable<StoredObject> {
  for (const name of await readdir(directory)) {
    const found = await ifPresent(stat(join(directory, name)));
    if (found?.isFile() && !name.startsWith(".")) {
      yield { key: prefix + name, size: found.size, modified: found.mtimeMs };
    }
  }
}

async function syncPath(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function ifPresent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
