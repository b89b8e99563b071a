/** Several platforms of one name: pulled beside each other, listed, chosen, saved, loaded, pushed and removed. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mediaTypes, parseManifest } from "../../../oci/manifest.ts";
import { stream, TestImages } from "../testing.ts";
import { FakeRegistry } from "./fake-registry.ts";

let registry: FakeRegistry;
let fixture: TestImages;
let name: string;
let index: string;

const arm = "linux/arm64";
const amd = "linux/amd64";
const listing = { all: false, digests: false, sharedSize: false, filters: {} };

beforeEach(() => {
  registry = new FakeRegistry();
  fixture = new TestImages();
  name = `${registry.host}/x:1`;
  index = registry.addIndex("1", ["amd64", "arm64", "s390x"]);
});
afterEach(async () => {
  await registry[Symbol.asyncDispose]();
  fixture[Symbol.dispose]();
});

const quiet = () => ({ credentials: {}, progress: () => {}, signal: new AbortController().signal });

async function pullBoth(): Promise<void> {
  for (const platform of [arm, amd]) await fixture.pull(name, { platform });
}

const architecture = async (of: string, platform?: string) =>
  (await fixture.images.inspect(of, { platform })).Architecture;

async function save(names: string[], platform?: string): Promise<Uint8Array> {
  const body = await fixture.images.save(names, { platform, signal: new AbortController().signal });
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk.slice());
  return Buffer.concat(chunks);
}

async function load(into: TestImages, archive: Uint8Array, platform?: string): Promise<string[]> {
  const said: string[] = [];
  const progress = ({ stream: line }: { stream?: string }) => said.push((line ?? "").trim());
  await into.images.load(stream(archive), { ...quiet(), quiet: true, platform, progress });
  return said;
}

test("the name means what was pulled last, and the others by --platform", async () => {
  await pullBoth();
  expect(await architecture(name)).toBe("amd64");
  expect(await architecture(name, arm)).toBe("arm64");
  expect((await fixture.images.history(name, { platform: arm })).length).toBe(0);
  expect(() => fixture.images.resolve(name, "linux/s390x")).toThrow(
    `image with reference ${name} was found but its platform (linux/amd64) does not match the specified platform (linux/s390x)`,
  );
  const variant = await fixture.images.inspect(name, { platform: arm });
  expect(variant.RepoTags).toEqual([name]);
  expect(variant.RepoDigests).toEqual([`${registry.host}/x@${index}`]);
  await fixture.images.tag(name, "y", "2");
  expect(await architecture("y:2", arm)).toBe("arm64");
});

test("one row per name; its manifests say what is here", async () => {
  await pullBoth();
  const variant = (await fixture.images.inspect(name, { platform: arm })).Id;
  fixture.addContainer((await fixture.images.inspect(name, {})).Id);
  const [row, ...more] = await fixture.images.list({ ...listing, manifests: true });
  expect(more).toEqual([]);
  expect(row?.RepoTags).toEqual([name]);
  expect(row?.Descriptor).toMatchObject({ mediaType: mediaTypes.ociIndex, digest: index });
  const manifests = row?.Manifests ?? [];
  expect(manifests.map(({ Kind, Available }) => [Kind, Available])).toEqual([
    ["image", true],
    ["image", true],
    ["image", false],
  ]);
  expect(manifests.map(({ ImageData }) => ImageData?.Platform.architecture)).toEqual(["amd64", "arm64", "s390x"]);
  expect(manifests.map(({ ImageData }) => ImageData?.Containers?.length ?? 0)).toEqual([1, 0, 0]);
  expect(manifests[1]?.Size.Total).toBeGreaterThan(manifests[1]?.ImageData?.Size.Unpacked ?? 0);
  expect(manifests[2]?.Size).toEqual({ Content: 0, Total: 0 });
  expect((await fixture.images.list({ ...listing, all: true })).map(({ Id }) => Id)).toContain(variant);
  expect(await fixture.images.list({ ...listing, filters: { dangling: ["true"] } })).toEqual([]);
  expect((await fixture.images.prune({})).ImagesDeleted).toBeNull();
});

test("they go with the last name of their index, or one by one", async () => {
  await pullBoth();
  await fixture.images.tag(name, "y", "1");
  const options = { force: false, noPrune: false };
  await fixture.images.remove(name, options);
  expect(await architecture("y:1", arm)).toBe("arm64");
  await fixture.images.remove("y:1", { ...options, platforms: [amd] });
  expect(await architecture("y:1")).toBe("arm64");
  await fixture.images.remove("y:1", options);
  expect(fixture.images.records()).toEqual([]);
  expect(fixture.layers.list()).toEqual([]);
  await pullBoth();
  const removed = await fixture.images.remove(name, options);
  expect(removed.filter(({ Deleted }) => fixture.images.find(Deleted ?? ""))).toEqual([]);
  expect(fixture.images.records()).toEqual([]);
});

test("what a name stands for survives the sweep at start; what none stands for does not", async () => {
  await pullBoth();
  const kept = fixture.content.list().length;
  await fixture.images.reconcile();
  expect(fixture.content.list()).toHaveLength(kept);
  await fixture.images.remove(name, { force: false, noPrune: false });
  await fixture.images.reconcile();
  expect(fixture.content.list()).toEqual([]);
});

test("an archive has all platforms of a name, or the one that is asked for", async () => {
  await pullBoth();
  const archive = await save([name]);
  using other = new TestImages();
  expect(await load(other, archive)).toEqual([`Loaded image: ${name}`]);
  const host = process.arch === "arm64" ? "arm64" : "amd64";
  expect((await other.images.inspect(name, {})).Architecture).toBe(host);
  expect((await other.images.inspect(name, { platform: arm })).Architecture).toBe("arm64");
  expect((await other.images.inspect(name, { platform: amd })).Architecture).toBe("amd64");
  using single = new TestImages();
  await load(single, archive, arm);
  expect(single.images.records()).toHaveLength(1);
  expect((await single.images.inspect(name, {})).Architecture).toBe("arm64");
  using third = new TestImages();
  await load(third, await save([name], arm));
  expect((await third.images.inspect(name, {})).Architecture).toBe("arm64");
  await expect(load(third, archive, "linux/s390x")).rejects.toThrow("no image for platform linux/s390x in the archive");
  await expect(load(third, await save([name], arm), amd)).rejects.toThrow("requested platform (linux/amd64)");
});

async function push(to: FakeRegistry, platform?: string): Promise<{ said: string[]; aux: object[] }> {
  const said: string[] = [];
  const aux: object[] = [];
  await fixture.images.tag(name, `${to.host}/x`, "1");
  await fixture.images.push(`${to.host}/x`, {
    ...quiet(),
    tag: "1",
    platform,
    progress: (message) => {
      if (message.status && !message.id) said.push(message.status);
      if (message.aux) aux.push(message.aux as object);
    },
  });
  return { said, aux };
}

test("an index is pushed as it is where the registry can have all of it", async () => {
  await pullBoth();
  await using to = new FakeRegistry();
  for (const [digest, bytes] of registry.blobs) to.blobs.set(digest, bytes);
  const rest = parseManifest(registry.manifests.get(index)?.bytes as Uint8Array);
  const absent = "index" in rest ? (rest.index.manifests[2]?.digest ?? "") : "";
  to.manifests.set(absent, registry.manifests.get(absent) as { type: string; bytes: Uint8Array });
  const { said } = await push(to);
  expect(said.at(-1)).toBe(`1: digest: ${index} size: ${registry.manifests.get(index)?.bytes.length}`);
  expect(to.manifests.get("1")).toEqual(registry.manifests.get(index));
});

test("elsewhere a new index of what is here", async () => {
  await pullBoth();
  await using to = new FakeRegistry();
  await push(to);
  const pushed = to.manifests.get("1");
  expect(pushed?.type).toBe(mediaTypes.ociIndex);
  const parsed = parseManifest(pushed?.bytes as Uint8Array);
  const entries = "index" in parsed ? parsed.index.manifests : [];
  expect(entries.map(({ platform }) => platform?.architecture)).toEqual(["amd64", "arm64"]);
  using other = new TestImages();
  await other.pull(`${to.host}/x:1`, { platform: arm });
  expect((await other.images.inspect(`${to.host}/x:1`, {})).Architecture).toBe("arm64");
});

test("one platform goes as a single image, and the client is told", async () => {
  await fixture.pull(name, { platform: arm });
  await using to = new FakeRegistry();
  const { aux } = await push(to);
  expect(to.manifests.get("1")?.type).toBe(mediaTypes.dockerManifest);
  expect(aux.at(-1)).toMatchObject({ manifestPushedInsteadOfIndex: true, originalIndex: { digest: index } });
  await fixture.pull(name, { platform: amd });
  await using second = new FakeRegistry();
  await push(second, arm);
  expect(second.manifests.get("1")).toEqual(to.manifests.get("1"));
});
