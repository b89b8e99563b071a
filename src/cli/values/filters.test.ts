import { expect, test } from "bun:test";
import { filterQuery, toFilters, withPruneFilters } from "./filters.ts";

test("items of one name come together, each value once", () => {
  expect(toFilters(["label=a=b", "label=c", "status=exited", "label=c"])).toEqual({
    label: ["a=b", "c"],
    status: ["exited"],
  });
  expect(filterQuery(["dangling=true"])).toBe('{"dangling":{"true":true}}');
  expect(filterQuery([])).toBeUndefined();
});

test("configured prune filters give way to their opposites on the command line", () => {
  const configured = ["label=keep", "label!=drop", "until=1h"];
  expect(withPruneFilters(["label!=keep"], configured)).toEqual(["label!=drop", "until=1h", "label!=keep"]);
  expect(withPruneFilters(["label=drop"], configured)).toEqual(["label=keep", "until=1h", "label=drop"]);
  expect(withPruneFilters([], undefined)).toEqual([]);
});
