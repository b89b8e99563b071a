/** The outer tar of `docker save`: short names, owned by root. */
import { encodePax } from "../../../archive/tar/pax.ts";
import { maxOctal12, writeHeader } from "../../../archive/tar/tar-header.ts";

const block = 512;

/** Of a file; what follows is its content and `tarPadding`. `mtime` in seconds since 1970. */
export function tarHeader(name: string, size: number, mtime: number): Uint8Array {
  const plain = entryHeader(name, size, mtime, "0", 0o644);
  if (size <= maxOctal12) return plain;
  const records = Buffer.from(encodePax([["size", String(size)]]), "latin1");
  return Buffer.concat([
    entryHeader(`PaxHeaders.0/${name}`, records.length, 0, "x", 0o644),
    records,
    tarPadding(records.length),
    plain,
  ]);
}

/** `name` ends in a slash. */
export function tarDirectory(name: string, mtime: number): Uint8Array {
  return entryHeader(name, 0, mtime, "5", 0o755);
}

export function tarPadding(size: number): Uint8Array {
  return new Uint8Array((block - (size % block)) % block);
}

export function tarEnd(): Uint8Array {
  return new Uint8Array(2 * block);
}

/** Root's. */
export function entryHeader(
  name: string,
  size: number,
  mtime: number,
  flag: string,
  mode: number,
  linkName = "",
): Uint8Array {
  const out = Buffer.alloc(block);
  const zero = { uid: 0, gid: 0, deviceMajor: 0, deviceMinor: 0 };
  writeHeader(out, 0, { ...zero, name, size, mtime, flag, mode, linkName });
  return out;
}
