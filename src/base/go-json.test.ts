import { expect, test } from "bun:test";
import { goJson } from "./go-json.ts";

test("no limit is the largest 64-bit integer, everything else as it is", () => {
  expect(goJson({ a: Number.POSITIVE_INFINITY, b: 2 ** 64, c: 2 ** 53, d: "x", e: [1.5] })).toBe(
    '{"a":18446744073709551615,"b":18446744073709551615,"c":9007199254740992,"d":"x","e":[1.5]}',
  );
});
