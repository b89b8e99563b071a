import { expect, test } from "bun:test";
import { statfsSync } from "node:fs";
import { gcRequests } from "./gc-policy.ts";

const { blocks, bsize } = statfsSync("/");

test("rules become prunes, in order; what they leave open is the default, a tenth of the disk", () => {
  expect(gcRequests({ enabled: false, defaultKeep: 1, rules: undefined }, "/")).toEqual([]);
  expect(gcRequests({ enabled: true, defaultKeep: 5, rules: undefined }, "/")).toEqual([
    { all: false, keepStorage: 5, filters: { until: ["1440h"] } },
    { all: true, keepStorage: 5, filters: {} },
  ]);
  const rules = [
    { all: true, keep: 7, filters: { id: ["x"] } },
    { all: false, keep: undefined, filters: {} },
    { all: false, keep: { percent: 50 }, filters: {} },
  ];
  expect(
    gcRequests({ enabled: true, defaultKeep: undefined, rules }, "/").map(({ keepStorage }) => keepStorage),
  ).toEqual([7, Math.floor((blocks * bsize) / 10), Math.floor((blocks * bsize) / 2)]);
});
