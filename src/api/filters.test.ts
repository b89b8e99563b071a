import { expect, test } from "bun:test";
import { labelsMatch, matchesLabel } from "./filters.ts";

const labels = { a: "1", b: "x=y", empty: "" };

test("a key alone asks whether it is there, with a value what it is", () => {
  for (const wanted of ["a", "a=1", "b=x=y", "empty", "empty="]) expect(matchesLabel(labels, wanted)).toBe(true);
  for (const wanted of ["c", "a=2", "b=x", "empty=1", "constructor"]) expect(matchesLabel(labels, wanted)).toBe(false);
  expect(matchesLabel(null, "a")).toBe(false);
});

test("all of label and none of label!", () => {
  expect(labelsMatch({ label: ["a", "empty"], "label!": ["c"] }, labels)).toBe(true);
  expect(labelsMatch({ label: ["a", "c"] }, labels)).toBe(false);
  expect(labelsMatch({ "label!": ["b=x=y"] }, labels)).toBe(false);
  expect(labelsMatch({}, undefined)).toBe(true);
});
