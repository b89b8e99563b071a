import { expect, test } from "bun:test";
import { apiTimestamp } from "./timestamp.ts";

test("durations count back from now", () => {
  expect(apiTimestamp("10m", 1_700_000_000_000)).toBe("1699999400");
  expect(apiTimestamp("1.5s", 1_700_000_000_000)).toBe("1699999998");
  expect(apiTimestamp("0", 1_700_000_000_000)).toBe("0");
});

test("seconds stay as they are, times become seconds with all their digits", () => {
  expect(apiTimestamp("1700000000")).toBe("1700000000");
  expect(apiTimestamp("1700000000.25")).toBe("1700000000.25");
  expect(apiTimestamp("2023-11-14T22:13:20.123456789Z")).toBe("1700000000.123456789");
  expect(apiTimestamp("2023-11-14T23:13:20+01:00")).toBe("1700000000.000000000");
});

test("a time without zone is local", () => {
  const local = new Date(2023, 10, 14, 22, 13, 20).getTime() / 1000;
  expect(apiTimestamp("2023-11-14T22:13:20")).toBe(`${local}.000000000`);
  const midnight = new Date(2023, 10, 14).getTime() / 1000;
  expect(apiTimestamp("2023-11-14")).toBe(`${midnight}.000000000`);
});

test("anything else is refused", () => {
  for (const text of ["nope", "2023-99-99", "12-34"])
    expect(() => apiTimestamp(text)).toThrow("failed to parse value as time or duration");
});
