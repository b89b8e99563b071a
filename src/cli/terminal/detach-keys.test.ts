import { describe, expect, test } from "bun:test";
import { parseDetachKeys } from "../../api/detach-keys.ts";
import { DetachScanner, defaultDetachKeys } from "./detach-keys.ts";

describe("the scanner", () => {
  const P = "\x10";
  const Q = "\x11";
  const typed = (...chunks: string[]) => {
    const scanner = new DetachScanner(parseDetachKeys(defaultDetachKeys));
    const results = chunks.map((chunk) => scanner.scan(Buffer.from(chunk)));
    return { passed: results.map(({ pass }) => Buffer.from(pass).toString()), detached: results.at(-1)?.detached };
  };

  test.each([
    ["nothing special", ["abc"], ["abc"], false],
    ["both keys in one chunk, rest dropped", [`ab${P}${Q}cd`], ["ab"], true],
    ["keys in two chunks", [P, Q], ["", ""], true],
    ["a begun sequence that goes on otherwise", [P, "x"], ["", `${P}x`], false],
    ["the first key twice", [P + P, Q], [P, ""], true],
    ["the second key alone", [Q], [Q], false],
  ])("%s", (_name, chunks, passed, detached) => {
    expect(typed(...chunks)).toEqual({ passed, detached });
  });

  test("without keys everything passes", () => {
    const scanner = new DetachScanner(new Uint8Array(0));
    expect(scanner.scan(Buffer.from(P + Q)).detached).toBe(false);
  });
});
