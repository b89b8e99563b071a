import { expect, test } from "bun:test";
import { parseUntil } from "./until.ts";

test("durations, seconds and dates name the same kind of instant", () => {
  expect(parseUntil("1h30m", 5_400_000_000_000n)).toBe(0n);
  expect(parseUntil("1700000000.5")).toBe(1_700_000_000_500_000_000n);
  expect(parseUntil("2023-11-14")).toBe(1_699_920_000_000_000_000n);
  expect(parseUntil("2023-11-14T00:00")).toBe(1_699_920_000_000_000_000n);
  expect(parseUntil("2023-11-14T01:00:00+01:00")).toBe(1_699_920_000_000_000_000n);
  expect(() => parseUntil("yesterday")).toThrow("failed to parse");
});
