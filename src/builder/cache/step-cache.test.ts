import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database } from "../../metadata/database.ts";
import type { Digest } from "../../oci/digest.ts";
import { cacheKey, StepCache } from "./step-cache.ts";

const image = (digit: string): Digest => `sha256:${digit.repeat(64)}`;
let directory: string;
let database: Database;
let images: Set<Digest>;
let cache: StepCache;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "gantry-step-cache-"));
  database = new Database(join(directory, "db"));
  images = new Set([image("a"), image("b")]);
  cache = new StepCache(database, (id) => images.has(id));
});

afterEach(() => {
  database.close();
  rmSync(directory, { recursive: true });
});

test("an entry lives as long as its image", () => {
  const key = cacheKey("base", ["RUN x"]);
  expect(cache.find(key)).toBeUndefined();
  cache.record(key, image("a"), "RUN x");
  expect(cache.find(key)).toBe(image("a"));
  expect(cache.list()).toMatchObject([{ description: "RUN x", uses: 1 }]);
  images.delete(image("a"));
  expect(cache.find(key)).toBeUndefined();
  expect(cache.list()).toEqual([]);
});

test("the same step of two builds is done once", async () => {
  const { promise, resolve } = Promise.withResolvers<Digest>();
  let runs = 0;
  const work = () => {
    runs++;
    return promise;
  };
  const both = [cache.build("k", "x", work), cache.build("k", "x", work)];
  resolve(image("b"));
  expect(await Promise.all(both)).toEqual([image("b"), image("b")]);
  expect(runs).toBe(1);
});

test("a build that fails does not fail the other one", async () => {
  const { promise, reject } = Promise.withResolvers<Digest>();
  const first = cache.build("k", "x", () => promise);
  const second = cache.build("k", "x", async () => image("a"));
  reject(new Error("cancelled"));
  await expect(first).rejects.toThrow("cancelled");
  expect(await second).toBe(image("a"));
});
