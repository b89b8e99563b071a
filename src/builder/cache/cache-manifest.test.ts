import { expect, test } from "bun:test";
import type { Digest } from "../../oci/digest.ts";
import { cacheField, decodeCache, encodeCache, type ReachedStep } from "./cache-manifest.ts";
import { CacheImports } from "./imports.ts";

const layer = (digit: string): Digest => `sha256:${digit.repeat(64)}`;
const steps: ReachedStep[] = [
  { key: "k1", description: "COPY", layers: [layer("1"), layer("2")] },
  { key: "k2", description: "RUN", layers: [layer("1"), layer("2"), layer("3")] },
  { key: "k3", description: "RUN elsewhere", layers: [layer("9")] },
];
const config = (diff_ids: Digest[], cache: unknown) =>
  Buffer.from(JSON.stringify({ rootfs: { type: "layers", diff_ids }, ...(cache ? { [cacheField]: cache } : {}) }));

test("steps go into a config and come out again, without those whose layers are not there", () => {
  const diffIds = [layer("1"), layer("2"), layer("3")];
  const decoded = decodeCache(config(diffIds, encodeCache(steps, diffIds)));
  expect([...(decoded?.values() ?? [])]).toEqual(steps.slice(0, 2));
  expect(decodeCache(config(diffIds, undefined))).toBeUndefined();
});

test("a cache that is none is refused", () => {
  const broken = [
    { records: "x" },
    { records: [{ key: 1, layers: [] }] },
    { records: [{ key: "k", layers: [7] }] },
    { records: [{ key: "k", layers: ["0"] }] },
    { records: [{ key: "k", layers: [-1] }] },
  ];
  for (const cache of broken) expect(() => decodeCache(config([layer("1")], cache))).toThrow();
  const hostile = config(["../../etc" as Digest], { records: [] });
  expect(() => decodeCache(hostile)).toThrow("invalid diff ID");
});

test("sources are opened once, when a step is missing, and only its layers come", async () => {
  let opened = 0;
  const fetched: Digest[][] = [];
  const source = {
    async open() {
      opened++;
      const fetch = async (layers: readonly Digest[]) => void fetched.push([...layers]);
      return { steps: new Map(steps.map((step) => [step.key, step])), fetch };
    },
  };
  const images = {
    hold: () => ({ [Symbol.dispose]: () => {} }),
    createCacheStep: async (layers: readonly Digest[]) => layer(String(layers.length)),
  };
  const imports = new CacheImports(images, [{ open: async () => undefined }, source]);
  expect(opened).toBe(0);
  expect(await Promise.all([imports.find("k1"), imports.find("none")])).toEqual([layer("2"), undefined]);
  expect(await imports.find("k3")).toBe(layer("1"));
  expect(opened).toBe(1);
  expect(fetched).toEqual([steps[0]?.layers as Digest[], steps[2]?.layers as Digest[]]);
});
