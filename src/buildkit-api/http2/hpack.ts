/**
 * Header compression. Encoding uses no table, so that the order in which streams write does not matter; decoding knows everything.
 * Source: RFC 7541.
 */
import { decodeHuffman } from "./huffman.ts";

export type HeaderList = [name: string, value: string][];

/** Entry of the table, as RFC 7541 counts its size. */
const overhead = 32;
const defaultTableSize = 4096;
/** Of one block of headers, decoded: far more than what gRPC's clients send. */
const maxListSize = 1 << 20;

const staticTable: HeaderList = (
  ":authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https|:status=200|:status=204|" +
  ":status=206|:status=304|:status=400|:status=404|:status=500|accept-charset|accept-encoding=gzip, deflate|accept-language|" +
  "accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|content-disposition|" +
  "content-encoding|content-language|content-length|content-location|content-range|content-type|cookie|date|etag|expect|" +
  "expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|link|location|" +
  "max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|server|set-cookie|" +
  "strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate"
)
  .split("|")
  .map((entry) => {
    const at = entry.indexOf("=");
    return at < 0 ? [entry, ""] : [entry.slice(0, at), entry.slice(at + 1)];
  });

/** Each field as it is: a literal without indexing. */
export function encodeHeaders(headers: HeaderList): Buffer {
  return Buffer.concat(headers.flatMap(([name, value]) => [Buffer.of(0), ...text(name), ...text(value)]));
}

function text(value: string): Buffer[] {
  const bytes = Buffer.from(value);
  return [integer(bytes.length, 7), bytes];
}

/** Section 5.1; the bits before the prefix are zero. */
function integer(value: number, prefix: number): Buffer {
  const limit = 2 ** prefix - 1;
  if (value < limit) return Buffer.of(value);
  const bytes = [limit];
  let rest = value - limit;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** Decodes the blocks of one direction of a connection, in their order: each may refer to earlier ones. */
export class HeaderDecoder {
  private readonly table: HeaderList = [];
  private size = 0;
  private limit = defaultTableSize;

  /** Throws for what is no block of headers: the connection cannot go on then. */
  decode(block: Buffer): HeaderList {
    const reader = new BlockReader(block);
    const headers: HeaderList = [];
    let total = 0;
    while (!reader.done) {
      const first = reader.peek();
      if ((first & 0xe0) === 0x20) {
        this.resize(reader.integer(5));
        continue;
      }
      const header = this.field(reader, first);
      total += sizeOf(header);
      if (total > maxListSize) throw new Error("the headers are too large");
      headers.push(header);
    }
    return headers;
  }

  private field(reader: BlockReader, first: number): [string, string] {
    if (first & 0x80) return this.entry(reader.integer(7));
    const isIndexed = (first & 0x40) !== 0;
    const index = reader.integer(isIndexed ? 6 : 4);
    const name = index === 0 ? reader.text() : this.entry(index)[0];
    const header: [string, string] = [name, reader.text()];
    if (isIndexed) this.insert(header);
    return header;
  }

  private entry(index: number): [string, string] {
    const found = index <= staticTable.length ? staticTable[index - 1] : this.table[index - staticTable.length - 1];
    if (!found) throw new Error(`there is no header ${index}`);
    return found;
  }

  private insert(header: [string, string]): void {
    this.table.unshift(header);
    this.size += sizeOf(header);
    this.evict();
  }

  private resize(limit: number): void {
    if (limit > defaultTableSize) throw new Error("the header table is too large");
    this.limit = limit;
    this.evict();
  }

  private evict(): void {
    while (this.size > this.limit) this.size -= sizeOf(this.table.pop() as [string, string]);
  }
}

function sizeOf([name, value]: [string, string]): number {
  return Buffer.byteLength(name) + Buffer.byteLength(value) + overhead;
}

class BlockReader {
  private readonly block: Buffer;
  private at = 0;

  constructor(block: Buffer) {
    this.block = block;
  }

  get done(): boolean {
    return this.at >= this.block.length;
  }

  peek(): number {
    const byte = this.block[this.at];
    if (byte === undefined) throw new Error("the headers end too early");
    return byte;
  }

  integer(prefix: number): number {
    const limit = 2 ** prefix - 1;
    let value = this.next() & limit;
    if (value < limit) return value;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.next();
      value += (byte & 127) * factor;
      if (value > maxListSize) throw new Error("a number in the headers is too large");
      if (byte < 128) return value;
    }
  }

  text(): string {
    const isHuffman = (this.peek() & 0x80) !== 0;
    const length = this.integer(7);
    const bytes = this.block.subarray(this.at, this.at + length);
    if (bytes.length < length) throw new Error("the headers end too early");
    this.at += length;
    return (isHuffman ? decodeHuffman(bytes) : bytes).toString();
  }

  private next(): number {
    const byte = this.peek();
    this.at++;
    return byte;
  }
}
