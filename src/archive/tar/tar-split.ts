/**
 * The part of a layer's tar archive that its unpacked files do not tell: headers, their order, padding, the trailer. With it the
 * archive is put together again byte by byte, so that the archive need not be kept and its digest stays true.
 *
 *   file    := "GTS1" frame* final trailer
 *   frame   := u32 (length, little endian) · zstd of operation*
 *   operation := 0 · length · bytes                      these bytes
 *              | 1 · length · path · offset · length     a stretch of a file's content; path is relative to the layer's directory
 *   final   := frame of (index · length · path)*         content operations (counted from 0) whose file was moved later on
 *   trailer := u64 offset of `final` · u64 length of the archive
 *
 * Numbers in frames are LEB128. A file's path changes when a later entry of the same archive takes its place: the file is then
 * set aside rather than deleted.
 */
import { closeSync, readSync } from "node:fs";
import { internal } from "../../base/errors.ts";
import { type ByteSink, writeAll } from "../byte-sink.ts";

const magic = Buffer.from("GTS1");
const frameSize = 1 << 20;

export class TarSplitWriter implements Disposable {
  private readonly descriptor: number;
  private buffer = Buffer.allocUnsafeSlow(frameSize + 65536);
  private used = 0;
  private written = 0;
  private contents = 0;
  private tarSize = 0;
  /** Content operations by the path of their file, for `relocate`. */
  private readonly paths = new Map<string, number[]>();
  private readonly moved = new Map<number, string>();

  /** Closes the descriptor when it is disposed of. */
  constructor(descriptor: number) {
    this.descriptor = descriptor;
    this.append(magic);
  }

  bytes(chunk: Uint8Array): void {
    if (chunk.length > frameSize - 16) {
      this.bytes(chunk.subarray(0, frameSize / 2));
      this.bytes(chunk.subarray(frameSize / 2));
      return;
    }
    if (chunk.length === 0) return;
    this.room(chunk.length + 16);
    this.buffer[this.used++] = 0;
    this.number(chunk.length);
    this.buffer.set(chunk, this.used);
    this.used += chunk.length;
    this.tarSize += chunk.length;
  }

  content(path: string, offset: number, length: number): void {
    if (length === 0) return;
    this.room(path.length + 64);
    this.buffer[this.used++] = 1;
    this.text(path);
    this.number(offset);
    this.number(length);
    this.tarSize += length;
    const known = this.paths.get(path);
    if (known) known.push(this.contents++);
    else this.paths.set(path, [this.contents++]);
  }

  /** A file, or a directory with all its files, is now elsewhere. */
  relocate(from: string, to: string): void {
    for (const [path, indexes] of [...this.paths]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      const target = to + path.slice(from.length);
      for (const index of indexes) this.moved.set(index, target);
      this.paths.delete(path);
    }
  }

  /** Ends the file. */
  finish(): void {
    this.flush();
    const final = this.written;
    for (const [index, path] of this.moved) {
      this.room(path.length + 32);
      this.number(index);
      this.text(path);
    }
    this.flush(true);
    const trailer = Buffer.alloc(16);
    trailer.writeBigUInt64LE(BigInt(final), 0);
    trailer.writeBigUInt64LE(BigInt(this.tarSize), 8);
    this.append(trailer);
  }

  [Symbol.dispose](): void {
    closeSync(this.descriptor);
  }

  private room(size: number): void {
    if (this.used + size > this.buffer.length) this.flush();
  }

  private flush(evenEmpty = false): void {
    if (this.used === 0 && !evenEmpty) return;
    const frame = Bun.zstdCompressSync(this.buffer.subarray(0, this.used), { level: 1 });
    const length = Buffer.alloc(4);
    length.writeUInt32LE(frame.length);
    this.append(length);
    this.append(frame);
    this.used = 0;
  }

  private append(chunk: Uint8Array): void {
    writeAll(this.descriptor, chunk);
    this.written += chunk.length;
  }

  private text(raw: string): void {
    this.number(raw.length);
    this.used += this.buffer.write(raw, this.used, "latin1");
  }

  private number(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.buffer[this.used++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.buffer[this.used++] = rest;
  }
}

export interface TarSplitTrailer {
  finalOffset: number;
  tarSize: number;
}

/** Throws when the file is not a finished tar-split. `size` is the file's. */
export function readTrailer(descriptor: number, size: number): TarSplitTrailer {
  const trailer = readExactly(descriptor, size - 16, 16);
  return { finalOffset: Number(trailer.readBigUInt64LE(0)), tarSize: Number(trailer.readBigUInt64LE(8)) };
}

function readExactly(descriptor: number, offset: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  const count = offset < 0 ? 0 : readSync(descriptor, buffer, 0, length, offset);
  if (count !== length) throw internal("the layer's tar-split file is damaged");
  return buffer;
}

interface Cursor {
  data: Buffer;
  at: number;
}

function readFrame(descriptor: number, offset: number): { data: Buffer; next: number } {
  const length = readExactly(descriptor, offset, 4).readUInt32LE();
  const frame = readExactly(descriptor, offset + 4, length);
  return { data: Buffer.from(Bun.zstdDecompressSync(frame)), next: offset + 4 + length };
}

function readNumber(cursor: Cursor): number {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = cursor.data[cursor.at++];
    if (byte === undefined) throw internal("the layer's tar-split file is damaged");
    value += (byte & 127) * scale;
    if (byte < 128) return value;
  }
}

function readText(cursor: Cursor): string {
  const length = readNumber(cursor);
  cursor.at += length;
  return cursor.data.toString("latin1", cursor.at - length, cursor.at);
}

/** Puts the archive together: `copyContent` gives a stretch of a file to the sink. */
export function assemble(
  descriptor: number,
  size: number,
  sink: ByteSink,
  copyContent: (path: string, offset: number, length: number) => void,
): void {
  if (!readExactly(descriptor, 0, magic.length).equals(magic)) throw internal("the layer's tar-split file is damaged");
  const { finalOffset } = readTrailer(descriptor, size);
  const moved = new Map<number, string>();
  const final: Cursor = { data: readFrame(descriptor, finalOffset).data, at: 0 };
  while (final.at < final.data.length) moved.set(readNumber(final), readText(final));
  let contents = 0;
  for (let offset = magic.length; offset < finalOffset; ) {
    const { data, next } = readFrame(descriptor, offset);
    const cursor: Cursor = { data, at: 0 };
    while (cursor.at < data.length) {
      const operation = data[cursor.at++];
      if (operation === 0) {
        const length = readNumber(cursor);
        sink.write(data.subarray(cursor.at, cursor.at + length));
        cursor.at += length;
      } else {
        const path = readText(cursor);
        const start = readNumber(cursor);
        copyContent(moved.get(contents++) ?? path, start, readNumber(cursor));
      }
    }
    offset = next;
  }
  sink.flush();
}
