/** Reads a tar stream entry by entry, with PAX and GNU extensions applied. */
import type { Bytes } from "../../base/streams.ts";
import { blockSize, decodeBlock, paddingOf, parsePax, type TarEntry, typeOfFlag } from "./tar-format.ts";

/** Extension records larger than this are refused, as Go refuses them. */
const maxExtension = 1 << 20;

export class TarReader {
  private readonly source: ByteReader;
  private unread = 0;

  constructor(stream: Bytes) {
    this.source = new ByteReader(stream);
  }

  /** The next entry; undefined at the end. Content of the former one that was not read is skipped. */
  async next(): Promise<TarEntry | undefined> {
    let records = new Map<string, string>();
    const long: { name?: string; linkName?: string } = {};
    for (;;) {
      await this.source.skip(this.unread);
      this.unread = 0;
      const block = await this.source.exactly(blockSize);
      if (!block || block.every((byte) => byte === 0)) {
        if (block) await this.source.drain();
        return undefined;
      }
      const header = decodeBlock(block);
      if (header.flag === "x") records = parsePax(await this.extension(header.size));
      else if (header.flag === "g") await this.extension(header.size);
      else if (header.flag === "L") long.name = cString(await this.extension(header.size));
      else if (header.flag === "K") long.linkName = cString(await this.extension(header.size));
      else {
        const { flag, ...fields } = header;
        const type = typeOfFlag[flag];
        if (!type) throw new Error(`unhandled tar header type ${flag.charCodeAt(0)}`);
        const entry = applyRecords({ ...fields, ...long, type }, records);
        this.unread = entry.size + paddingOf(entry.size);
        return entry;
      }
    }
  }

  /** The content of the current entry, piece by piece. */
  async *content(entry: TarEntry): AsyncGenerator<Uint8Array> {
    for (let left = entry.size; left > 0; ) {
      const piece = await this.source.upTo(left);
      if (!piece) throw new Error("unexpected EOF");
      left -= piece.length;
      this.unread -= piece.length;
      yield piece;
    }
  }

  private async extension(size: number): Promise<Buffer> {
    if (size > maxExtension) throw new Error("archive/tar: header field too long");
    const body = await this.source.exactly(size);
    if (!body) throw new Error("unexpected EOF");
    await this.source.skip(paddingOf(size));
    return body;
  }
}

function cString(body: Buffer): string {
  const end = body.indexOf(0);
  return body.toString("latin1", 0, end < 0 ? body.length : end);
}

function applyRecords(entry: TarEntry, records: Map<string, string>): TarEntry {
  const numbers = ["size", "uid", "gid", "mtime"] as const;
  const found = numbers.flatMap((key) => {
    const value = records.get(key);
    return value === undefined ? [] : [[key, Number(value)] as const];
  });
  return {
    ...entry,
    ...Object.fromEntries(found),
    name: records.get("path") ?? entry.name,
    linkName: records.get("linkpath") ?? entry.linkName,
  };
}

/** Exact reads over a stream of chunks. */
class ByteReader {
  private readonly chunks: AsyncIterator<Uint8Array>;
  private current: Uint8Array = new Uint8Array(0);

  constructor(stream: Bytes) {
    this.chunks = stream[Symbol.asyncIterator]();
  }

  /** At least one and at most `count` bytes, as they come; undefined at the end. */
  async upTo(count: number): Promise<Uint8Array | undefined> {
    while (this.current.length === 0) {
      const next = await this.chunks.next();
      if (next.done) return undefined;
      this.current = next.value;
    }
    const piece = this.current.subarray(0, count);
    this.current = this.current.subarray(piece.length);
    return piece;
  }

  /** Undefined at the end of the stream; throws when it ends in between. */
  async exactly(count: number): Promise<Buffer | undefined> {
    const pieces: Uint8Array[] = [];
    for (let left = count; left > 0; ) {
      const piece = await this.upTo(left);
      if (!piece) {
        if (left === count) return undefined;
        throw new Error("unexpected EOF");
      }
      pieces.push(piece);
      left -= piece.length;
    }
    return Buffer.concat(pieces);
  }

  async skip(count: number): Promise<void> {
    for (let left = count; left > 0; ) {
      const piece = await this.upTo(left);
      if (!piece) return;
      left -= piece.length;
    }
  }

  /** Reads what follows the end of the archive, so that the sender can finish. */
  async drain(): Promise<void> {
    while (await this.upTo(Number.MAX_SAFE_INTEGER));
  }
}
