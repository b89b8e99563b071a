/** Archives made by hand, for tests: whatever a hostile or careless writer may produce. */
import { encodePax } from "./pax.ts";
import { blockSize, paddingOf } from "./tar-entry.ts";
import { writeHeader } from "./tar-header.ts";

export interface TestEntry {
  name: string;
  /** Type flag; default: a file, or a directory if the name ends in a slash. */
  flag?: string;
  content?: string;
  link?: string;
  mode?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  device?: [major: number, minor: number];
  pax?: [key: string, value: string][];
}

export function makeArchive(entries: TestEntry[], trailer = 1024): Buffer {
  const parts: Buffer[] = [];
  for (const entry of entries) {
    if (entry.pax) {
      const records = Buffer.from(encodePax(entry.pax), "latin1");
      parts.push(header({ name: "PaxHeaders.0/x", flag: "x" }, records.length), pad(records));
    }
    const content = Buffer.from(entry.content ?? "", "latin1");
    parts.push(header(entry, content.length), pad(content));
  }
  return Buffer.concat([...parts, Buffer.alloc(trailer)]);
}

function header(entry: TestEntry, size: number): Buffer {
  const out = Buffer.alloc(blockSize);
  writeHeader(out, 0, {
    name: entry.name,
    linkName: entry.link ?? "",
    flag: entry.flag ?? (entry.name.endsWith("/") ? "5" : "0"),
    mode: entry.mode ?? 0o644,
    uid: entry.uid ?? 0,
    gid: entry.gid ?? 0,
    size,
    mtime: entry.mtime ?? 1_600_000_000,
    deviceMajor: entry.device?.[0] ?? 0,
    deviceMinor: entry.device?.[1] ?? 0,
  });
  return out;
}

function pad(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc(paddingOf(content.length))]);
}

/** A stream of these chunks. */
export async function* streamOf(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}
