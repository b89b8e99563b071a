import { expect, test } from "bun:test";
import { Database } from "../../metadata/database.ts";
import type { Digest } from "../../oci/digest.ts";
import type { BuilderImages } from "../parts.ts";
import { cacheItems } from "./items.ts";
import { KeptDirectories } from "./kept-directories.ts";
import { StepCache } from "./step-cache.ts";

const id = (digit: string): Digest => `sha256:${digit.repeat(64)}`;

test("records tell what a step added, whose it is and how often it was used", () => {
  using database = new Database(":memory:");
  const known = [
    { id: id("a"), layers: [id("1")], size: 10 },
    { id: id("b"), layers: [id("1"), id("2")], size: 15, parent: id("a") },
    { id: id("c"), layers: [id("1"), id("3")], size: 30, parent: id("a") },
  ];
  const images = {
    records: () => known,
    find: (wanted: Digest) => known.find((image) => image.id === wanted),
    references: (wanted: Digest) => (wanted === id("b") ? [{}] : []),
  } as unknown as BuilderImages;
  const cache = new StepCache(database, () => true);
  const directories = new KeptDirectories({ database, parent: "/nowhere", discard: () => {}, measure: async () => 0 });
  cache.record(id("7"), id("a"), "ADD");
  cache.record(id("8"), id("b"), "RUN named");
  cache.record(id("9"), id("c"), "RUN forgotten");
  cache.find(id("8"));
  const items = cacheItems({ steps: cache, directories, images });
  const records = items.map(({ record }) => record).sort((x, y) => (x.ID < y.ID ? -1 : 1));
  expect(records.map(({ Description, Size, Shared, UsageCount }) => [Description, Size, Shared, UsageCount])).toEqual([
    ["ADD", 10, true, 0],
    ["RUN named", 5, true, 1],
    ["RUN forgotten", 20, false, 0],
  ]);
  expect(records.map(({ Parents }) => Parents)).toEqual([null, ["7".repeat(25)], ["7".repeat(25)]]);
  expect(records.map(({ LastUsedAt }) => LastUsedAt !== null)).toEqual([false, true, false]);
});
