/** Compressed archives: told apart by their first bytes, and unpacked by the fastest program at hand. */
import { invalidArgument, notImplemented } from "../base/errors.ts";

export type Compression = "none" | "gzip" | "zstd" | "xz" | "bzip2";

/** Bytes that `detectCompression` wants to see. */
export const magicSize = 10;

const magics: [Compression, number[]][] = [
  ["gzip", [0x1f, 0x8b, 0x08]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["bzip2", [0x42, 0x5a, 0x68]],
];

/** A zstd stream may begin with skippable frames: 0x184D2A5? and their length. */
export function detectCompression(head: Uint8Array): Compression {
  for (const [kind, magic] of magics) if (magic.every((byte, index) => head[index] === byte)) return kind;
  const skippable = head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18 && ((head[0] ?? 0) & 0xf0) === 0x50;
  return skippable ? "zstd" : "none";
}

/** igzip (package isal) unpacks three times as fast as gzip. */
const programs: Record<Exclude<Compression, "none">, string[][]> = {
  gzip: [
    ["igzip", "-dc"],
    ["gzip", "-dc"],
  ],
  zstd: [["zstd", "-dcq", "--long=31"]],
  xz: [["xz", "-dcq", "-T0"]],
  bzip2: [["bzip2", "-dc"]],
};

/** argv of a filter from stdin to stdout. Throws `not-implemented` naming the program that is missing. */
export function decompressor(kind: Exclude<Compression, "none">, searchPath = process.env["PATH"] ?? ""): string[] {
  for (const argv of programs[kind]) {
    const program = Bun.which(argv[0] as string, { PATH: searchPath });
    if (program !== null) return [program, ...argv.slice(1)];
  }
  throw notImplemented(`exec: "${programs[kind].at(-1)?.[0]}": executable file not found in $PATH`);
}

/** What a failed filter means to the user. `stderr` is what it said. */
export function decompressionError(kind: Compression, stderr: string): Error {
  const text = stderr.trim().replace(/^[^:]*: (stdin: |\(stdin\): )?/, "");
  if (/unexpected end|truncated|premature|complete gzip|ends unexpectedly/i.test(stderr))
    return invalidArgument("unexpected EOF");
  return invalidArgument(`${kind}: ${text === "" ? "corrupt input" : text}`);
}
