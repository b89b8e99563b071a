import { expect, test } from "bun:test";
import { digestOf, hexOf } from "../../../oci/digest.ts";
import { TestImages, tarOf } from "../testing.ts";

const layerOne = tarOf({ one: "1" });
const layerTwo = tarOf({ two: "22" });
const config = (...layers: Uint8Array[]) => ({
  architecture: process.arch === "arm64" ? "arm64" : "amd64",
  os: "linux",
  created: "2020-01-02T03:04:05.6Z",
  config: { Cmd: ["sh"] },
  history: layers.map((_, index) => ({ created_by: `step ${index}` })),
  rootfs: { type: "layers", diff_ids: layers.map((layer) => digestOf(layer)) },
});
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));
const gzip = (content: Uint8Array) => Bun.gzipSync(new Uint8Array(content));

/** A `docker save` of before version 25. */
function oldArchive(tags: string[] | null, layers: Uint8Array[] = [layerOne, layerTwo]): Uint8Array {
  return tarOf({
    ...Object.fromEntries(layers.map((layer, index) => [`${index}/layer.tar`, layer])),
    "config.json": config(layerOne, layerTwo),
    "manifest.json": [
      { Config: "config.json", RepoTags: tags, Layers: layers.map((_, index) => `${index}/layer.tar`) },
    ],
  });
}

/** An OCI layout: config and layer blobs, and whatever `index` makes of the manifest's descriptor. */
function layout(index: (descriptor: object, blobs: Record<string, Uint8Array>) => object): Uint8Array {
  const blobs: Record<string, Uint8Array> = {};
  const add = (content: Uint8Array, mediaType: string) => {
    blobs[`blobs/sha256/${hexOf(digestOf(content))}`] = content;
    return { mediaType, digest: digestOf(content), size: content.length };
  };
  const manifest = add(
    bytes({
      schemaVersion: 2,
      config: add(bytes(config(layerOne, layerTwo)), "application/vnd.oci.image.config.v1+json"),
      layers: [layerOne, layerTwo].map((layer) => add(gzip(layer), "application/vnd.oci.image.layer.v1.tar+gzip")),
    }),
    "application/vnd.oci.image.manifest.v1+json",
  );
  return tarOf({
    ...blobs,
    "index.json": index(manifest, blobs),
    "oci-layout": { imageLayoutVersion: "1.0.0" },
    ...blobs,
  });
}

test("an archive of docker 20.10, in any chunks", async () => {
  for (const chunk of [100, 512, 1 << 20]) {
    using t = new TestImages();
    expect(await t.load(oldArchive(["a:1", "b/c:2"]), chunk)).toEqual(["Loaded image: a:1", "Loaded image: b/c:2"]);
    expect(await t.images.inspect("a:1", {})).toMatchObject({
      Id: digestOf(bytes(config(layerOne, layerTwo))),
      Size: 3,
      Created: "2020-01-02T03:04:05.6Z",
      Metadata: { LastTagTime: "0001-01-01T00:00:00Z" },
    });
    expect(t.events).toEqual(["load id"]);
  }
});

test("compressed layers, and a compressed archive", async () => {
  using t = new TestImages();
  const archive = oldArchive(null, [gzip(layerOne), layerTwo]);
  const id = digestOf(bytes(config(layerOne, layerTwo)));
  expect(await t.load(gzip(archive))).toEqual([`Loaded image ID: ${id}`]);
  expect(t.images.resolve(id).layers).toEqual([digestOf(layerOne), digestOf(layerTwo)]);
});

test("loading again says the same; a name that moves is announced", async () => {
  using t = new TestImages();
  const old = await t.import("a:1");
  expect(await t.load(oldArchive(["a:1"]))).toEqual([
    `The image a:1 already exists, renaming the old one with ID ${old} to empty string`,
    "Loaded image: a:1",
  ]);
  expect(await t.load(oldArchive(["a:1"]))).toEqual(["Loaded image: a:1"]);
});

test("an OCI layout with names in annotations", async () => {
  using t = new TestImages();
  const named = (name: string) => ({ annotations: { "org.opencontainers.image.ref.name": name } });
  const archive = layout((descriptor) => ({
    schemaVersion: 2,
    manifests: [
      { ...descriptor, annotations: { "io.containerd.image.name": "docker.io/library/a:1" } },
      { ...descriptor, ...named("localhost/b") },
      { ...descriptor, ...named("latest") },
    ],
  }));
  expect(await t.load(archive)).toEqual(["Loaded image: a:1", "Loaded image: localhost/b:latest"]);
});

test("of an index within an index, the image for this machine", async () => {
  using t = new TestImages();
  const archive = layout((descriptor, blobs) => {
    const absent = { ...descriptor, digest: digestOf("elsewhere") };
    const inner = bytes({
      schemaVersion: 2,
      manifests: [
        { ...absent, platform: { os: "unknown", architecture: "unknown" } },
        { ...absent, platform: { os: "linux", architecture: "s390x" } },
        { ...descriptor, platform: { os: "linux", architecture: config().architecture } },
      ],
    });
    blobs[`blobs/sha256/${hexOf(digestOf(inner))}`] = inner;
    const mediaType = "application/vnd.oci.image.index.v1+json";
    return { schemaVersion: 2, manifests: [{ mediaType, digest: digestOf(inner), size: inner.length }] };
  });
  expect(await t.load(archive)).toEqual([`Loaded image ID: ${digestOf(bytes(config(layerOne, layerTwo)))}`]);
});

test("an archive of before docker 1.10", async () => {
  using t = new TestImages();
  const base = "a".repeat(64);
  const top = "b".repeat(64);
  const archive = tarOf({
    [`${base}/json`]: { id: base, created: "2014-01-01T00:00:00Z", container_config: { Cmd: ["base"] } },
    [`${base}/layer.tar`]: layerOne,
    [`${top}/json`]: { id: top, parent: base, created: "2014-01-02T00:00:00Z", os: "linux", config: { Cmd: ["x"] } },
    [`${top}/layer.tar`]: layerTwo,
    repositories: { old: { "1": top } },
  });
  expect(await t.load(archive)).toEqual(["Loaded image: old:1"]);
  expect(await t.images.inspect("old:1", {})).toMatchObject({
    Config: { Cmd: ["x"] },
    RootFS: { Layers: [digestOf(layerOne), digestOf(layerTwo)] },
  });
  expect((await t.images.history("old:1", {})).map((step) => step.CreatedBy)).toEqual(["", "base"]);
});

test.each<[string, Uint8Array, string]>([
  ["not an archive", bytes("foobar"), "unexpected EOF"],
  ["something else", tarOf({ a: "b" }), "invalid archive: it has no manifest.json, index.json or repositories"],
  ["cut short", oldArchive(["a:1"]).subarray(0, 1200), "unexpected EOF"],
  ["a bad header", new Uint8Array(1024).fill(65), "archive/tar: invalid tar header"],
  ["a layer too few", oldArchive(["a:1"], [layerOne]), "invalid manifest, layers length mismatch: expected 2, got 1"],
  ["layers swapped", oldArchive(["a:1"], [layerTwo, layerOne]), "invalid diffID for layer 0"],
  ["a name without tag", oldArchive(["a"]), 'invalid tag "a"'],
  ["a bad name", oldArchive(["A:1"]), "repository name (library/A) must be lowercase"],
  [
    "a missing layer",
    tarOf({ "c.json": config(layerOne), "manifest.json": [{ Config: "c.json", Layers: ["x/layer.tar"] }] }),
    "open x/layer.tar: no such file or directory",
  ],
  [
    "a missing config",
    tarOf({ "manifest.json": [{ Config: "../../etc/passwd", Layers: [] }] }),
    "open ../../etc/passwd: no such file or directory",
  ],
  [
    "another system's",
    tarOf({ "c.json": { ...config(), os: "windows" }, "manifest.json": [{ Config: "c.json", Layers: [] }] }),
    "cannot load windows image on linux",
  ],
  [
    "a tampered blob",
    layout((item) => ({ schemaVersion: 2, manifests: [{ ...item, digest: digestOf("x") }] })),
    "open",
  ],
])("%s is refused and leaves nothing", async (_name, archive, message) => {
  using t = new TestImages();
  await expect(t.load(archive)).rejects.toThrow(message);
  await Bun.sleep(1);
  expect(t.images.records()).toEqual([]);
  expect(t.layers.list()).toEqual([]);
  expect(t.content.list()).toEqual([]);
});

test("layers that are links to other layers, and layers of no image", async () => {
  using t = new TestImages();
  const link = Buffer.from(tarOf({ "1/layer.tar": "" }).subarray(0, 512));
  link.write("2", 156, "latin1");
  link.write("../0/layer.tar", 157, "latin1");
  link.write("        ", 148, "latin1");
  const sum = link.reduce((total, byte) => total + byte, 0);
  link.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  const rest = tarOf({
    "0/layer.tar": layerOne,
    "stray/layer.tar": layerTwo,
    "c.json": config(layerOne, layerOne),
    "manifest.json": [{ Config: "c.json", RepoTags: ["a:1"], Layers: ["0/layer.tar", "1/layer.tar"] }],
  });
  expect(await t.load(Buffer.concat([link, rest]))).toEqual(["Loaded image: a:1"]);
  await Bun.sleep(1);
  expect(t.layers.list().map((layer) => layer.diffId)).toEqual([digestOf(layerOne)]);
});

test("progress names each layer and ends at its size", async () => {
  using t = new TestImages();
  const said: string[] = [];
  await t.images.load(new Blob([new Uint8Array(oldArchive(["a:1"]))]).stream(), {
    quiet: false,
    signal: new AbortController().signal,
    progress: ({ status, id, progressDetail: at, stream }) =>
      said.push(status ? `${status} ${id} ${at?.current}/${at?.total}` : (stream ?? "").trim()),
  });
  expect(said).toContain(`Loading layer 0/layer.tar ${layerOne.length}/${layerOne.length}`);
  expect(said.at(-1)).toBe("Loaded image: a:1");
});

test("an aborted load rejects and leaves nothing", async () => {
  using t = new TestImages();
  const abort = new AbortController();
  async function* endless() {
    yield oldArchive(["a:1"]).subarray(0, 4096);
    abort.abort();
    yield oldArchive(["a:1"]).subarray(4096);
  }
  const load = t.images.load(endless(), { quiet: true, progress: () => {}, signal: abort.signal });
  await expect(load).rejects.toThrow("context canceled");
  await Bun.sleep(1);
  expect(t.layers.list()).toEqual([]);
});
