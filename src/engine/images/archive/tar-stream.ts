/**
 * Reads the outer tar of an image archive as it arrives, without a child process: only headers are looked at here, and contents are
 * handed on in the chunks that they came in.
 */
import { posix } from "node:path";
import { parsePax } from "../../../archive/tar/pax.ts";
import { isZeroBlock, parseHeader } from "../../../archive/tar/tar-header.ts";
import { invalidArgument } from "../../../base/errors.ts";
import type { Bytes } from "../../../base/streams.ts";

export interface StreamEntry {
  /** Normalised: relative, without `.` and leading `/`. */
  name: string;
  type: "file" | "directory" | "link" | "other";
  /** Of a link, relative to the archive's root, normalised as `name`. */
  target: string;
  /** Bytes of content. */
  size: number;
}

const block = 512;
/** Names and PAX records longer than this are an attack. */
const maxExtension = 1 << 20;

export class TarStream {
  private readonly iterator: AsyncIterator<Uint8Array>;
  private chunk: Uint8Array = new Uint8Array(0);
  /** Content and padding of the current entry that nobody has read yet. */
  private left = 0;
  private padding = 0;

  constructor(source: Bytes) {
    this.iterator = source[Symbol.asyncIterator]();
  }

  /** The next entry, or undefined at the end of the archive. Rejects `invalid-argument`: `unexpected EOF`, a bad header. */
  async next(): Promise<StreamEntry | undefined> {
    const extended = new Map<string, string>();
    for (;;) {
      await this.skip();
      const head = await this.read(block, true);
      // Some writers leave the two zero blocks at the end out.
      if (head.length === 0 || isZeroBlock(head)) return undefined;
      const header = parseHeader(head);
      this.expect(header.size);
      if (header.flag === "x" || header.flag === "g") {
        const records = parsePax(await this.readContent());
        if (header.flag === "x") for (const [key, value] of records) extended.set(key, value);
      } else if (header.flag === "L") extended.set("path", cString(await this.readContent()));
      else if (header.flag === "K") extended.set("linkpath", cString(await this.readContent()));
      else {
        const size = Number(extended.get("size") ?? header.size);
        if (!Number.isSafeInteger(size) || size < 0) throw invalidArgument("archive/tar: invalid tar header");
        const type = typeOf(header.flag);
        this.expect(type === "file" ? size : 0);
        const name = normalize(decode(extended.get("path") ?? header.name));
        const target = decode(extended.get("linkpath") ?? header.linkName);
        return { name, type, size: this.left, target: linkTarget(header.flag, name, target) };
      }
    }
  }

  /** The first bytes of the current entry, at most `length`, without consuming them. */
  async peek(length: number): Promise<Uint8Array> {
    const wanted = Math.min(length, this.left);
    // Joined with what came before it: rarely more than the last few bytes of a chunk.
    while (this.chunk.length < wanted) {
      const next = await this.iterator.next();
      if (next.done) throw invalidArgument("unexpected EOF");
      this.chunk = Buffer.concat([this.chunk, next.value]);
    }
    return this.chunk.subarray(0, wanted);
  }

  /** The content of the current entry. May be left early. */
  async *content(): AsyncGenerator<Uint8Array> {
    while (this.left > 0) yield await this.part();
  }

  /** The content at once; of at most `limit` bytes. */
  async readContent(limit = maxExtension): Promise<Buffer> {
    if (this.left > limit) throw invalidArgument("archive/tar: header field too long");
    const content = await this.read(this.left, false);
    this.left = 0;
    return content;
  }

  /** Reads the rest of the source, so that the sender is not cut off. */
  async drain(): Promise<void> {
    for (let next = await this.iterator.next(); !next.done; next = await this.iterator.next());
  }

  /** Tells the source that no more is wanted. */
  async close(): Promise<void> {
    await this.iterator.return?.();
  }

  private expect(size: number): void {
    this.left = size;
    this.padding = (block - (size % block)) % block;
  }

  private async skip(): Promise<void> {
    while (this.left > 0) await this.part();
    await this.read(this.padding, false);
    this.padding = 0;
  }

  private async part(): Promise<Uint8Array> {
    if (this.chunk.length === 0) await this.fill();
    const part = this.chunk.subarray(0, this.left);
    this.chunk = this.chunk.subarray(part.length);
    this.left -= part.length;
    return part;
  }

  private async fill(): Promise<void> {
    const next = await this.iterator.next();
    if (next.done) throw invalidArgument("unexpected EOF");
    this.chunk = next.value;
  }

  /** Exactly `size` bytes; with `mayEnd`, none at the end of the source. */
  private async read(size: number, mayEnd: boolean): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    let got = 0;
    while (got < size) {
      if (this.chunk.length === 0) {
        const next = await this.iterator.next();
        if (next.done && mayEnd && got === 0) return Buffer.alloc(0);
        if (next.done) throw invalidArgument("unexpected EOF");
        this.chunk = next.value;
      }
      const part = this.chunk.subarray(0, size - got);
      this.chunk = this.chunk.subarray(part.length);
      parts.push(part);
      got += part.length;
    }
    return Buffer.concat(parts);
  }
}

function typeOf(flag: string): StreamEntry["type"] {
  if (flag === "0" || flag === "7") return "file";
  if (flag === "5") return "directory";
  return flag === "1" || flag === "2" ? "link" : "other";
}

/** A symbolic link's target is relative to the link, a hard link's to the root. */
function linkTarget(flag: string, name: string, target: string): string {
  return normalize(flag === "2" && !target.startsWith("/") ? posix.join(posix.dirname(name), target) : target);
}

/** Names are only keys here; what climbs out of the archive ends at its root. */
export function normalize(name: string): string {
  return posix.normalize(`/${name}`).replace(/^\/+|\/+$/g, "");
}

function cString(content: Buffer): string {
  const end = content.indexOf(0);
  return content.toString("latin1", 0, end < 0 ? content.length : end);
}

/** Header strings come one character per byte. */
function decode(raw: string): string {
  return Buffer.from(raw, "latin1").toString("utf8");
}
