import { expect, test } from "bun:test";
import { decompressionError, decompressor, detectCompression } from "./compression.ts";

const cases: [string, number[]][] = [
  ["gzip", [0x1f, 0x8b, 8, 0]],
  ["none", [0x1f, 0x8b, 7, 0]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["zstd", [0x53, 0x2a, 0x4d, 0x18]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]],
  ["bzip2", [0x42, 0x5a, 0x68, 0x39]],
  ["none", []],
  ["none", [0x66, 0x69, 0x6c, 0x65]],
];

test.each(cases)("%s is told by its first bytes", (kind, bytes) => {
  expect(detectCompression(new Uint8Array(bytes))).toBe(kind as "none");
});

test("a missing program is named as Docker names it", () => {
  expect(() => decompressor("xz", "/nonexistent")).toThrow('exec: "xz": executable file not found in $PATH');
});

test("what a program says becomes what Docker would say", () => {
  expect(decompressionError("gzip", "\ngzip: stdin: unexpected end of file\n").message).toBe("unexpected EOF");
  expect(decompressionError("xz", "xz: (stdin): Compressed data is corrupt\n").message).toBe(
    "xz: Compressed data is corrupt",
  );
});
