/**
 * The content store in a directory:
 *
 *   blobs/<algorithm>/<hex>     a blob; visible when its row in table `blobs` exists
 *   ingest/<sha256 of key>/     key · data
 *
 * Order of a commit: data synced, renamed into place, directory synced, row inserted. A file without row is a commit that was cut
 * short, and `reconcile` removes it; a row without file cannot come to be, except by foreign hands, and `reconcile` removes it too.
 */
import { createReadStream, readFileSync, renameSync } from "node:fs";
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { conflict, errorCode, invalidArgument, notFound } from "../base/errors.ts";
import { newId } from "../base/ids.ts";
import type { Bytes } from "../base/streams.ts";
import type { Database } from "../metadata/database.ts";
import { algorithmOf, type Digest, Digester, digestOf, hexOf, parseDigest } from "../oci/digest.ts";
import type { BlobInfo, ContentStore, Ingest, IngestInfo } from "./content.ts";

/** An ingest that nobody wrote to for this long will not be resumed. */
const ingestLifetimeMillis = 7 * 24 * 3600 * 1000;

export class LocalContentStore implements ContentStore {
  private readonly root: string;
  private readonly database: Database;
  private readonly held = new Set<string>();

  constructor(root: string, database: Database) {
    this.root = root;
    this.database = database;
  }

  find(digest: Digest): BlobInfo | undefined {
    return this.database.get<BlobInfo>(
      "SELECT digest, size, media_type AS mediaType FROM blobs WHERE digest = ?",
      digest,
    );
  }

  read(digest: Digest): Uint8Array {
    try {
      return readFileSync(this.pathOf(digest));
    } catch (error) {
      throw this.missing(digest, error);
    }
  }

  open(digest: Digest, offset = 0): Bytes {
    if (!this.find(digest)) throw this.missing(digest);
    return createReadStream(this.pathOf(digest), { start: offset, highWaterMark: 1 << 20 });
  }

  async put(content: Uint8Array, mediaType: string): Promise<Digest> {
    const digest = digestOf(content);
    if (this.find(digest)) return digest;
    const path = this.pathOf(digest);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const temporary = `${path}.${newId().slice(0, 8)}`;
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await this.publish(temporary, { digest, size: content.length, mediaType });
    return digest;
  }

  async ingest(key: string): Promise<Ingest> {
    if (this.held.has(key)) throw conflict(`ingest ${key} is locked by another writer`);
    this.held.add(key);
    try {
      const directory = this.ingestDirectory(key);
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await writeFile(join(directory, "key"), key);
      const file = await open(join(directory, "data"), "a+", 0o600);
      return new LocalIngest(this, key, file, (await file.stat()).size);
    } catch (error) {
      this.held.delete(key);
      throw error;
    }
  }

  list(): BlobInfo[] {
    return this.database.all<BlobInfo>("SELECT digest, size, media_type AS mediaType FROM blobs ORDER BY digest");
  }

  async delete(digest: Digest): Promise<void> {
    // The row goes first: what stays behind after a crash is a file without row.
    if (this.database.run("DELETE FROM blobs WHERE digest = ?", digest) === 0) return;
    // Moved away in the same tick: a writer of the same digest that comes now must not lose its new file to this removal.
    const doomed = `${this.pathOf(digest)}.${newId().slice(0, 8)}`;
    renameSync(this.pathOf(digest), doomed);
    await rm(doomed, { force: true });
  }

  async ingests(): Promise<IngestInfo[]> {
    const found: IngestInfo[] = [];
    for (const name of await readdirOrNone(join(this.root, "ingest"))) {
      const directory = join(this.root, "ingest", name);
      try {
        const data = await stat(join(directory, "data"));
        const key = await readFile(join(directory, "key"), "utf8");
        found.push({ key, offset: data.size, updated: data.mtimeMs });
      } catch (error) {
        if (errorCode(error) !== "ENOENT") throw error;
        if (!this.heldDirectory(name)) await rm(directory, { recursive: true, force: true });
      }
    }
    return found;
  }

  async abandon(key: string): Promise<void> {
    if (this.held.has(key)) throw conflict(`ingest ${key} is locked by another writer`);
    await rm(this.ingestDirectory(key), { recursive: true, force: true });
  }

  /** Removes what an earlier daemon left half done, and ingests that were abandoned long ago. Call once, before any other method. */
  async reconcile(now = Date.now()): Promise<void> {
    const known = new Set(this.list().map((blob) => blob.digest));
    for (const algorithm of await readdirOrNone(join(this.root, "blobs"))) {
      for (const name of await readdirOrNone(join(this.root, "blobs", algorithm))) {
        if (known.delete(`${algorithm}:${name}`)) continue;
        await rm(join(this.root, "blobs", algorithm, name), { force: true });
      }
    }
    for (const digest of known) this.database.run("DELETE FROM blobs WHERE digest = ?", digest);
    for (const ingest of await this.ingests()) {
      if (now - ingest.updated > ingestLifetimeMillis) await this.abandon(ingest.key);
    }
  }

  pathOf(digest: Digest): string {
    parseDigest(digest);
    return join(this.root, "blobs", algorithmOf(digest), hexOf(digest));
  }

  ingestDirectory(key: string): string {
    return join(this.root, "ingest", hexOf(digestOf(key)));
  }

  /** Moves a synced file into place and records it. */
  async publish(path: string, blob: BlobInfo): Promise<void> {
    const target = this.pathOf(blob.digest);
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    await rename(path, target);
    const directory = await open(dirname(target), "r");
    await directory.sync().finally(() => directory.close());
    this.database.run("INSERT OR IGNORE INTO blobs VALUES (?, ?, ?)", blob.digest, blob.size, blob.mediaType);
  }

  release(key: string): void {
    this.held.delete(key);
  }

  private heldDirectory(name: string): boolean {
    return [...this.held].some((key) => hexOf(digestOf(key)) === name);
  }

  private missing(digest: Digest, cause?: unknown): Error {
    return notFound(`content ${digest}: not found`, cause === undefined ? undefined : { cause });
  }
}

class LocalIngest implements Ingest {
  private readonly store: LocalContentStore;
  private readonly key: string;
  private readonly file: FileHandle;
  private open = true;
  offset: number;

  constructor(store: LocalContentStore, key: string, file: FileHandle, offset: number) {
    this.store = store;
    this.key = key;
    this.file = file;
    this.offset = offset;
  }

  async write(chunk: Uint8Array): Promise<void> {
    try {
      let done = 0;
      while (done < chunk.length) {
        const { bytesWritten } = await this.file.write(chunk, done, chunk.length - done);
        done += bytesWritten;
      }
    } catch (error) {
      // A disk that is full took a part: what is written next must not come behind it.
      await this.file.truncate(this.offset);
      throw error;
    }
    this.offset += chunk.length;
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    const chunk = new Uint8Array(Math.max(0, Math.min(length, this.offset - position)));
    const { bytesRead } = await this.file.read(chunk, 0, chunk.length, position);
    return chunk.subarray(0, bytesRead);
  }

  async truncate(): Promise<void> {
    await this.file.truncate(0);
    this.offset = 0;
  }

  async commit(expected: { digest: Digest; size?: number | undefined; mediaType: string }): Promise<BlobInfo> {
    const known = this.store.find(expected.digest);
    if (known) {
      await this.abort();
      return known;
    }
    const problem = await this.verify(expected);
    if (problem !== undefined) {
      await this.abort();
      throw invalidArgument(problem);
    }
    await this.file.sync();
    await this.letGo();
    const blob = { digest: expected.digest, size: this.offset, mediaType: expected.mediaType };
    await this.store.publish(join(this.store.ingestDirectory(this.key), "data"), blob);
    await rm(this.store.ingestDirectory(this.key), { recursive: true, force: true });
    this.store.release(this.key);
    return blob;
  }

  async close(): Promise<void> {
    await this.letGo();
    this.store.release(this.key);
  }

  async abort(): Promise<void> {
    await this.letGo();
    await unlink(join(this.store.ingestDirectory(this.key), "data")).catch(() => undefined);
    await rm(this.store.ingestDirectory(this.key), { recursive: true, force: true });
    this.store.release(this.key);
  }

  private async verify(expected: { digest: Digest; size?: number | undefined }): Promise<string | undefined> {
    if (expected.size !== undefined && expected.size !== this.offset) {
      return `unexpected size ${this.offset} of ${expected.digest}, expected ${expected.size}`;
    }
    const actual = await this.digest(algorithmOf(parseDigest(expected.digest)));
    return actual === expected.digest ? undefined : `unexpected digest ${actual}, expected ${expected.digest}`;
  }

  /** Of the file: whoever writes to an ingest to read it there, and never commits it, does not pay for it. */
  private async digest(algorithm: string): Promise<Digest> {
    const digester = new Digester(algorithm);
    const buffer = new Uint8Array(1 << 20);
    for (let position = 0; ; ) {
      const { bytesRead } = await this.file.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) return digester.digest();
      digester.update(buffer.subarray(0, bytesRead));
      position += bytesRead;
    }
  }

  private async letGo(): Promise<void> {
    if (!this.open) return;
    this.open = false;
    await this.file.close();
  }
}

async function readdirOrNone(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}
