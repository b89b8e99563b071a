/** What a pull that is broken off leaves for the next: its finished layers and the beginnings of the others, until nobody comes. */
import { expect, test } from "bun:test";
import { TestImages } from "../testing.ts";
import { FakeRegistry } from "./fake-registry.ts";

async function broken(fixture: TestImages, registry: FakeRegistry): Promise<void> {
  registry.addImage("1", ["first", "second"]);
  const [first, second] = [...registry.blobs.keys()] as [string, string];
  const stop = new AbortController();
  registry.intercept = async (_, path) => {
    if (!path.endsWith(second)) return undefined as unknown as Response;
    while (fixture.layers.list().length === 0) await Bun.sleep(5);
    stop.abort();
    return new Response("", { status: 500 });
  };
  await expect(fixture.pull(`${registry.host}/x:1`, { signal: stop.signal })).rejects.toThrow("context canceled");
  expect(registry.asked.some(({ path }) => path.endsWith(first))).toBe(true);
  registry.intercept = () => undefined;
  registry.asked.length = 0;
}

const pulled = async (fixture: TestImages, registry: FakeRegistry) => {
  await fixture.pull(`${registry.host}/x:1`);
  return registry.asked.filter(({ method, path }) => method === "GET" && path.includes("/blobs/")).length;
};

test("finished layers outlive the daemon, and the next pull asks for the others alone", async () => {
  await using registry = new FakeRegistry();
  using fixture = new TestImages();
  await broken(fixture, registry);
  await fixture.images.reconcile();
  expect(fixture.layers.list()).toHaveLength(1);
  // The config and one layer.
  expect(await pulled(fixture, registry)).toBe(2);
  await fixture.images.remove(`${registry.host}/x:1`, { force: false, noPrune: false });
  expect(fixture.layers.list()).toEqual([]);
});

test("a prune takes them", async () => {
  await using registry = new FakeRegistry();
  using fixture = new TestImages();
  await broken(fixture, registry);
  expect((await fixture.images.prune({})).SpaceReclaimed).toBeGreaterThan(0);
  expect(fixture.layers.list()).toEqual([]);
  expect(await fixture.content.ingests()).toEqual([]);
  expect(await pulled(fixture, registry)).toBe(3);
});

test("what is wrong in itself leaves nothing", async () => {
  await using registry = new FakeRegistry();
  using fixture = new TestImages();
  registry.addImage("1", ["good", "bad"]);
  const [, bad] = [...registry.blobs.keys()] as [string, string];
  registry.blobs.set(bad, new Uint8Array(registry.blobs.get(bad)?.length ?? 0));
  await expect(pulled(fixture, registry)).rejects.toThrow();
  expect(fixture.layers.list()).toEqual([]);
});
