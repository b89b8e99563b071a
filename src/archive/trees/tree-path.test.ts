import { expect, test } from "bun:test";
import { cleanPath } from "../tar/unpack.ts";
import { absolutePath, baseName, goFileMode } from "./tree-path.ts";

test.each([
  ["", "/"],
  ["etc", "/etc"],
  ["/etc/", "/etc/"],
  ["/etc/.", "/etc/."],
  ["etc/../usr//./lib", "/usr/lib"],
  ["../../x", "/x"],
  ["/", "/"],
  [".", "/."],
  ["./", "/./"],
  ["/etc/./", "/etc/./"],
  ["/a/..", "/"],
])("absolutePath(%p) is %p", (given, expected) => {
  expect(absolutePath(given)).toBe(expected);
});

test.each([
  ["/", "/"],
  ["/etc/passwd", "passwd"],
  ["/etc/", "etc"],
  ["/etc/.", "."],
])("baseName(%p) is %p", (given, expected) => {
  expect(baseName(given)).toBe(expected);
});

test("cleanPath leaves names that only look like dots", () => {
  expect(cleanPath("/a/..b/.c/...")).toBe("/a/..b/.c/...");
  expect(cleanPath("//a///b/../c/")).toBe("/a/c");
});

test("file modes are Go's", () => {
  // Values of Go's os.FileMode for these inodes.
  expect(goFileMode(0o100644)).toBe(0o644);
  expect(goFileMode(0o040755)).toBe(0x800001ed);
  expect(goFileMode(0o120777)).toBe(0x80001ff);
  expect(goFileMode(0o104755)).toBe(0x8001ed);
  expect(goFileMode(0o020666)).toBe(0x42001b6);
  expect(goFileMode(0o060660)).toBe(0x40001b0);
  expect(goFileMode(0o010644)).toBe(0x20001a4);
  expect(goFileMode(0o140777)).toBe(0x10001ff);
  expect(goFileMode(0o041777)).toBe(0x801001ff);
});
