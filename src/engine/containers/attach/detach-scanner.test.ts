import { expect, test } from "bun:test";
import { DetachScanner, defaultDetachKeys } from "./detach-scanner.ts";

function scanAll(keys: Uint8Array, ...chunks: string[]): { text: string; detached: boolean } {
  const scanner = new DetachScanner(keys);
  let text = "";
  for (const chunk of chunks) {
    const { pass, detached } = scanner.scan(Buffer.from(chunk, "latin1"));
    text += Buffer.from(pass).toString("latin1");
    if (detached) return { text, detached };
  }
  return { text, detached: false };
}

test("the sequence detaches, also when split over reads, and hides nothing typed before it", () => {
  expect(scanAll(defaultDetachKeys, "ab\x10\x11cd")).toEqual({ text: "ab", detached: true });
  expect(scanAll(defaultDetachKeys, "ab\x10", "\x11")).toEqual({ text: "ab", detached: true });
});

test("a begun sequence that is not finished reaches the process", () => {
  expect(scanAll(defaultDetachKeys, "\x10", "x")).toEqual({ text: "\x10x", detached: false });
  expect(scanAll(defaultDetachKeys, "\x10\x10\x11")).toEqual({ text: "\x10", detached: true });
});

test("a sequence that overlaps itself is still found", () => {
  expect(scanAll(Buffer.from("aab"), "aaab")).toEqual({ text: "a", detached: true });
});
