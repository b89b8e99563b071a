/**
 * Storage in a bucket of an S3-compatible service: `<prefix>blobs/<key>`, and for an upload `<prefix>uploads/<id>/` with one object per
 * piece, named by its offset, because S3 cannot append. A commit streams the pieces into the blob by one multipart upload, which S3 makes
 * visible as a whole. A process that dies meanwhile leaves a multipart upload unfinished: give the bucket a lifecycle rule for those.
 */
import { S3Client, type S3ListObjectsResponse } from "bun";
import { errorCode, internal } from "../../base/errors.ts";
import type { StorageDriver, StoredObject, UploadWriter } from "./driver.ts";

/** Bytes of a piece and of a multipart part: what an upload holds in memory, and what dies with the process. */
const pieceSize = 8 << 20;
const smallSize = 1 << 20;
const linkSeconds = 20 * 60;

export interface S3Settings {
  /** Empty: Amazon's own. */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** Put before each key; empty or ending in `/`. */
  readonly prefix: string;
  /** Whether clients fetch blobs from the bucket themselves. */
  readonly redirect: boolean;
}

export class S3Driver implements StorageDriver {
  private readonly client: S3Client;
  private readonly blobs: string;
  private readonly uploads: string;
  private readonly prefix: string;
  private readonly redirect: boolean;

  constructor(settings: S3Settings) {
    const { endpoint, region, bucket, accessKey, secretKey, prefix } = settings;
    this.client = new S3Client({
      ...{ bucket, accessKeyId: accessKey, secretAccessKey: secretKey },
      ...(region === "" ? {} : { region }),
      ...(endpoint === "" ? {} : { endpoint }),
    });
    this.prefix = prefix;
    this.redirect = settings.redirect;
    this.blobs = `${prefix}blobs/`;
    this.uploads = `${prefix}uploads/`;
  }

  async stat(key: string): Promise<number | undefined> {
    try {
      return (await patiently(() => this.client.stat(this.blobs + key))).size;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** Small ones at once: their length can stand in the answer, which it cannot where a stream is sent. */
  async body(key: string, start: number, end: number): Promise<Blob | ReadableStream<Uint8Array>> {
    if (start === end) return new Blob([]);
    const part = this.client.file(this.blobs + key).slice(start, end);
    if (end - start > smallSize) return part.stream() as ReadableStream<Uint8Array>;
    return new Blob([await patiently(() => part.arrayBuffer())]);
  }

  link(key: string): string | undefined {
    if (!this.redirect) return undefined;
    return this.client.presign(this.blobs + key, { method: "GET", expiresIn: linkSeconds });
  }

  async upload(id: string, create: boolean): Promise<UploadWriter | undefined> {
    const directory = `${this.uploads}${id}/`;
    if (create) {
      await patiently(() => this.client.write(`${directory}begun`, ""));
      return new S3Writer(this.client, directory, 0);
    }
    const objects = await Array.fromAsync(this.objects(directory));
    if (objects.length === 0) return undefined;
    return new S3Writer(
      this.client,
      directory,
      objects.reduce((sum, object) => sum + object.size, 0),
    );
  }

  async *readUpload(id: string): AsyncIterable<Uint8Array> {
    for (const piece of await this.pieces(id)) {
      yield* this.client.file(piece.key).stream() as unknown as AsyncIterable<Uint8Array>;
    }
  }

  async commit(id: string, key: string): Promise<void> {
    const pieces = await this.pieces(id);
    const size = pieces.reduce((sum, piece) => sum + piece.size, 0);
    const target = this.client.file(this.blobs + key);
    if (pieces.length <= 1) {
      const piece = pieces[0];
      const content = piece ? await patiently(() => this.client.file(piece.key).arrayBuffer()) : "";
      await patiently(() => target.write(content));
    } else {
      const writer = target.writer({ partSize: pieceSize, queueSize: 2, retry: 3 });
      for (const piece of pieces) {
        writer.write(await patiently(() => this.client.file(piece.key).arrayBuffer()));
        await writer.flush();
      }
      await writer.end();
    }
    const stored = await this.stat(key);
    if (stored !== size) throw internal(`the bucket stored ${stored} of ${size} bytes of ${key}`);
    await this.abort(id);
  }

  async abort(id: string): Promise<void> {
    const objects = await Array.fromAsync(this.objects(`${this.uploads}${id}/`));
    for (const { key } of objects) await this.delete(key);
  }

  async remove(key: string): Promise<void> {
    await this.delete(this.blobs + key);
  }

  async *list(): AsyncIterable<StoredObject> {
    for await (const object of this.objects(this.blobs)) {
      yield { ...object, key: object.key.slice(this.blobs.length) };
    }
  }

  async *listUploads(): AsyncIterable<StoredObject> {
    let current: StoredObject | undefined;
    // Objects come in the order of their keys, so those of one upload are neighbours.
    for await (const { key, size, modified } of this.objects(this.uploads)) {
      const id = key.slice(this.uploads.length).split("/")[0] ?? "";
      if (current?.key === id) {
        current = { key: id, size: current.size + size, modified: Math.max(current.modified, modified) };
        continue;
      }
      if (current) yield current;
      current = { key: id, size, modified };
    }
    if (current) yield current;
  }

  async probe(): Promise<void> {
    await patiently(() => this.client.write(`${this.prefix}probe`, ""));
  }

  /** In order. Throws when one is missing in between. */
  private async pieces(id: string): Promise<StoredObject[]> {
    const directory = `${this.uploads}${id}/`;
    const pieces = (await Array.fromAsync(this.objects(directory))).filter((object) => object.size > 0);
    pieces.sort((a, b) => (a.key < b.key ? -1 : 1));
    let offset = 0;
    for (const piece of pieces) {
      if (piece.key !== pieceKey(directory, offset)) throw internal(`upload ${id} has no piece at ${offset}`);
      offset += piece.size;
    }
    return pieces;
  }

  private async delete(key: string): Promise<void> {
    try {
      await patiently(() => this.client.delete(key));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  /** All objects below a prefix, with whole keys. */
  private async *objects(prefix: string): AsyncIterable<StoredObject> {
    let continuationToken: string | undefined;
    do {
      const from = continuationToken === undefined ? {} : { continuationToken };
      const page: S3ListObjectsResponse = await patiently(() => this.client.list({ prefix, ...from }));
      for (const { key, size, lastModified } of page.contents ?? []) {
        yield { key, size: Number(size ?? 0), modified: Date.parse(String(lastModified)) };
      }
      continuationToken = page.isTruncated ? page.nextContinuationToken : undefined;
    } while (continuationToken !== undefined);
  }
}

/** Gathers chunks into pieces. */
class S3Writer implements UploadWriter {
  private readonly client: S3Client;
  private readonly directory: string;
  private readonly buffer: Uint8Array[] = [];
  private buffered = 0;
  /** Of the next piece. */
  private offset: number;

  constructor(client: S3Client, directory: string, offset: number) {
    this.client = client;
    this.directory = directory;
    this.offset = offset;
  }

  get size(): number {
    return this.offset + this.buffered;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.buffer.push(chunk.slice());
    this.buffered += chunk.length;
    if (this.buffered >= pieceSize) await this.store();
  }

  async close(): Promise<void> {
    if (this.buffered > 0) await this.store();
  }

  private async store(): Promise<void> {
    const piece = Buffer.concat(this.buffer);
    await patiently(() => this.client.write(pieceKey(this.directory, this.offset), piece));
    this.offset += piece.length;
    this.buffer.length = 0;
    this.buffered = 0;
  }
}

function pieceKey(directory: string, offset: number): string {
  return `${directory}${String(offset).padStart(16, "0")}`;
}

const attempts = 6;
const firstWaitMillis = 50;
const passing = new Set(["InternalError", "SlowDown", "ServiceUnavailable", "RequestTimeout", "OperationAborted"]);

/** S3 asks its clients to try again: a failure of its own says nothing about the request. The work may be done twice. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === attempts || !passing.has(errorCode(error) ?? "")) throw error;
      await Bun.sleep(firstWaitMillis * 2 ** attempt * Math.random());
    }
  }
}

function isMissing(error: unknown): boolean {
  return errorCode(error) === "NoSuchKey";
}
