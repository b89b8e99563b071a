import { expect, test } from "bun:test";
import { labelsMatch } from "../../api/filters.ts";
import { booleanFilter, matchPath, parseTimestamp, untilFilter } from "./image-filters.ts";

const second = 1_000_000_000n;
const now = 1_700_000_000n * second;

test.each<[string, bigint]>([
  ["10m", now - 600n * second],
  ["1.5s", now - 1_500_000_000n],
  ["1700000000", 1_700_000_000n * second],
  ["1700000000.5", 1_700_000_000n * second + 500_000_000n],
  ["2023-11-14T22:13:20Z", now],
  ["2023-11-14T22:13:20.25+00:00", now + 250_000_000n],
  ["2023-11-14T22:13Z", now - 20n * second],
  ["2023-11-14Z", now - 80_000n * second],
])("%s is a time", (text, expected) => {
  expect(parseTimestamp(text, now)).toBe(expected);
});

test("what is not a time, or is two, is refused", () => {
  expect(() => untilFilter({ until: ["x"] })).toThrow('failed to parse value as time or duration: "x"');
  expect(() => untilFilter({ until: ["1", "2"] })).toThrow("more than one until filter specified");
  expect(untilFilter({})).toBeUndefined();
});

test("booleans", () => {
  expect(booleanFilter({ dangling: ["1"] }, "dangling")).toBe(true);
  expect(booleanFilter({ dangling: ["false"] }, "dangling")).toBe(false);
  expect(booleanFilter({}, "dangling")).toBeUndefined();
  expect(() => booleanFilter({ dangling: ["x"] }, "dangling")).toThrow("invalid filter 'dangling=[x]'");
});

test("labels match by key, by key and value, and by absence", () => {
  const labels = { a: "1", b: "x=y" };
  expect(labelsMatch({ label: ["a", "b=x=y"] }, labels)).toBe(true);
  expect(labelsMatch({ label: ["a", "c"] }, labels)).toBe(false);
  expect(labelsMatch({ "label!": ["a=2"] }, labels)).toBe(true);
  expect(labelsMatch({ "label!": ["a"] }, labels)).toBe(false);
  expect(labelsMatch({ label: ["a"] }, null)).toBe(false);
});

test("patterns do not cross slashes", () => {
  expect(matchPath("b*:1", "busybox:1")).toBe(true);
  expect(matchPath("*", "a/b")).toBe(false);
  expect(matchPath("*/*", "a/b")).toBe(true);
  expect(matchPath("a[0-9]?", "a1x")).toBe(true);
  expect(matchPath("a[^0-9]", "a1")).toBe(false);
  expect(matchPath("a\\*.+", "a*.+")).toBe(true);
  for (const bad of ["[", "[a", "a\\"]) expect(() => matchPath(bad, "a")).toThrow("syntax error in pattern");
});
