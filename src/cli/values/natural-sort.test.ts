import { expect, test } from "bun:test";
import { naturalCompare } from "./natural-sort.ts";

test("digits compare as numbers", () => {
  const names = ["web10", "web2", "web", "a1b10", "a1b9", "b"];
  expect(names.sort(naturalCompare)).toEqual(["a1b9", "a1b10", "b", "web", "web2", "web10"]);
});
