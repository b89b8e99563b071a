import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf, hexOf } from "../../../oci/digest.ts";
import { stream, TestImages } from "../testing.ts";
import { TarStream } from "./tar-stream.ts";

async function filesOf(archive: Uint8Array): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const tar = new TarStream(stream(archive));
  for (let entry = await tar.next(); entry; entry = await tar.next()) {
    files.set(entry.name, await tar.readContent());
  }
  return files;
}

const json = (content: Buffer | undefined) => JSON.parse(content?.toString() ?? "null");

test("an archive is docker's and OCI's at once", async () => {
  using t = new TestImages();
  const id = await t.import("bb:1");
  await t.images.tag("bb:1", "bb", "2");
  await t.images.tag("bb:1", "other/bb", "3");
  const files = await filesOf(await t.save("bb", "other/bb:3"));
  const [layer = ""] = t.images.resolve(id).layers;
  const layerName = `blobs/sha256/${hexOf(layer)}`;
  const size = files.get(layerName)?.length;
  const sources = { [layer]: { mediaType: "application/vnd.oci.image.layer.v1.tar", size, digest: layer } };
  const tags = ["bb:1", "bb:2", "other/bb:3"];
  const config = `blobs/sha256/${hexOf(id)}`;
  expect(json(files.get("manifest.json"))).toEqual([
    { Config: config, RepoTags: tags, Layers: [layerName], LayerSources: sources },
  ]);
  const index = json(files.get("index.json"));
  expect(index.manifests.map((item: { annotations: object }) => item.annotations)).toEqual([
    { "io.containerd.image.name": "docker.io/library/bb:1", "org.opencontainers.image.ref.name": "1" },
    { "io.containerd.image.name": "docker.io/library/bb:2", "org.opencontainers.image.ref.name": "2" },
    { "io.containerd.image.name": "docker.io/other/bb:3", "org.opencontainers.image.ref.name": "3" },
  ]);
  const manifest = files.get(`blobs/sha256/${hexOf(index.manifests[0].digest)}`) as Buffer;
  expect(digestOf(manifest)).toBe(index.manifests[0].digest);
  expect(json(manifest).layers).toEqual([Object.values(sources)[0]]);
  expect(json(files.get("repositories"))).toEqual({
    bb: { "1": hexOf(layer), "2": hexOf(layer) },
    "other/bb": { "3": hexOf(layer) },
  });
  for (const [name, content] of files) {
    if (name.startsWith("blobs/sha256/")) expect(digestOf(content)).toBe(`sha256:${name.slice(13)}`);
  }
});

test("what is saved loads again, with names, parents and ids, and equal images give equal bytes", async () => {
  using t = new TestImages();
  using other = new TestImages();
  const parent = await t.import("p:1", ["LABEL a=b"]);
  const child = await t.images.createFromContainer({
    parentImageId: parent,
    layer: await t.layers.unpack(stream(new Uint8Array(1024))),
    containerConfig: {},
    containerId: "c",
    author: "",
    comment: "",
    repo: "c",
    changes: ["CMD x"],
  });
  const archive = await t.save("p:1", "c", child);
  expect(await other.load(archive)).toEqual(["Loaded image: p:1", "Loaded image: c:latest"]);
  expect(await other.images.inspect("c", {})).toMatchObject({ Id: child, Parent: parent });
  expect(digestOf(await other.save("p:1", "c", child))).toBe(digestOf(archive));
});

test("by id there are no names; without names there is nothing", async () => {
  using t = new TestImages();
  const id = await t.import("bb:1");
  const files = await filesOf(await t.save(id.slice(7, 19)));
  expect(json(files.get("manifest.json"))[0].RepoTags).toBeNull();
  expect(json(files.get("index.json")).manifests[0].annotations).toBeUndefined();
  expect(files.has("repositories")).toBe(false);
  expect((await filesOf(await t.save())).get("manifest.json")?.toString()).toBe("null\n");
});

test("what is not there is an error before the first byte", async () => {
  using t = new TestImages();
  await t.import("bb:1");
  const save = (name: string) => t.images.save([name], { signal: new AbortController().signal });
  await expect(save("nope")).rejects.toThrow("No such image: nope");
  await expect(save("bb:2")).rejects.toThrow("reference does not exist");
  await expect(save("a".repeat(64))).rejects.toThrow(`No such image: sha256:${"a".repeat(64)}`);
  await expect(save("x:")).rejects.toThrow("invalid reference format");
});

test("an abandoned stream lets its layers go", async () => {
  using t = new TestImages();
  await t.import("bb:1");
  const abort = new AbortController();
  await t.images.save(["bb:1"], { signal: abort.signal });
  await t.images.remove("bb:1", { force: false, noPrune: false });
  expect(t.layers.list()).toHaveLength(1);
  abort.abort();
  await Bun.sleep(1);
  expect(t.layers.list()).toEqual([]);
});

test.skipIf(!Bun.which("skopeo"))("skopeo reads it as docker-archive and as oci-archive", async () => {
  using t = new TestImages();
  await t.import("bb:1", ["LABEL a=b"]);
  const directory = mkdtempSync(join(tmpdir(), "gantry-skopeo-"));
  try {
    const file = join(directory, "a.tar");
    await Bun.write(file, await t.save("bb:1"));
    for (const transport of ["docker-archive", "oci-archive"]) {
      const child = Bun.spawn(["skopeo", "inspect", "--tmpdir", directory, `${transport}:${file}`], { stderr: "pipe" });
      const output = await new Response(child.stdout).text();
      expect(await new Response(child.stderr).text()).toBe("");
      expect(JSON.parse(output)).toMatchObject({ Labels: { a: "b" }, Os: "linux" });
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});
