import { expect, test } from "bun:test";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { emptyLayer } from "./commit.ts";
import { stream, TestImages, tarOf } from "./testing.ts";

const signal = new AbortController().signal;

test("import makes an image as dockerd does", async () => {
  using t = new TestImages();
  const changes = ['CMD ["sh"]', 'ENV A=b C="d e"', "LABEL l=m", "EXPOSE 80 90-91/udp", "WORKDIR /x"];
  const id = await t.import("bb:1", changes, "hello");
  const image = await t.images.inspect("bb:1", {});
  expect(image).toMatchObject({
    Id: id,
    RepoTags: ["bb:1"],
    RepoDigests: [],
    Comment: "Imported from -",
    DockerVersion: "test",
    Os: "linux",
    Size: 5,
    Config: {
      Cmd: ["sh"],
      Env: ["A=b", "C=d e"],
      ExposedPorts: { "80/tcp": {}, "90/udp": {}, "91/udp": {} },
      Labels: { l: "m" },
      WorkingDir: "/x",
    },
  });
  expect(image.Config?.Hostname).toBeUndefined();
  expect(image.Metadata.LastTagTime).toStartWith("20");
  expect(t.events).toEqual(["tag bb:1", "import id"]);
  expect(await t.images.history("bb:1", {})).toMatchObject([
    { Id: id, Tags: ["bb:1"], Size: 5, CreatedBy: "", Comment: "Imported from -" },
  ]);
});

test.each([
  [{ repo: "Foo/bar:x", tag: "" }, undefined],
  [{ repo: "foo", tag: "a b" }, "invalid tag format"],
  [{ repo: "Foo", tag: "" }, "invalid reference format: repository name (library/Foo) must be lowercase"],
  [{ repo: `foo@sha256:${"1".repeat(64)}`, tag: "" }, "cannot import digest reference"],
  [{ repo: "foo", tag: `sha256:${"1".repeat(64)}` }, "invalid tag format"],
  [{ repo: "sha256", tag: "abc" }, "refusing to create an ambiguous tag using digest algorithm as name"],
  [{ changes: ["RUN x"] }, "RUN is not a valid change command"],
  [{ platform: "windows/amd64" }, "operating system is not supported"],
  [{ platform: "a/b/c/d" }, '"a/b/c/d": cannot parse platform specifier: invalid argument'],
])("import %j", async (given, message) => {
  using t = new TestImages();
  const options = { message: "", changes: [], progress: () => {}, signal, ...given };
  const work = t.images.import("-", stream(tarOf({ a: "b" })), options);
  if (message === undefined) await work;
  else {
    await expect(work).rejects.toThrow(message);
    expect(t.layers.list()).toEqual([]);
  }
});

test("import from a URL", async () => {
  using t = new TestImages();
  using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) =>
      request.url.endsWith("/x.tar")
        ? new Response(new Uint8Array(tarOf({ a: "b" })))
        : new Response("", { status: 404, statusText: "Not Found" }),
  });
  const said: unknown[] = [];
  const options = { message: "", changes: [], signal, progress: (message: unknown) => said.push(message) };
  const address = `127.0.0.1:${server.port}`;
  await t.images.import(`${address}/x.tar`, stream(new Uint8Array(0)), { ...options, repo: "u" });
  expect(said[0]).toEqual({ status: `Downloading from http://${address}/x.tar` });
  expect((await t.images.inspect("u", {})).Comment).toBe(`Imported from ${address}/x.tar`);
  const missing = t.images.import(`http://${address}/y`, stream(new Uint8Array(0)), options);
  await expect(missing).rejects.toThrow("Got HTTP status code >= 400: 404");
});

test("images are found by name, id and unique beginning of the id", async () => {
  using t = new TestImages();
  const id = await t.import("bb:1");
  for (const name of ["bb:1", "docker.io/library/bb:1", id, id.slice(7), id.slice(7, 13), id.slice(0, 12)]) {
    expect(t.images.resolve(name).id).toBe(id);
  }
  for (let n = 0; n < 20; n++) await t.import(undefined, [], String(n));
  // Of 21 ids some two begin with the same digit.
  const counts = Map.groupBy(t.images.records(), (record) => record.id[7] as string);
  const [digit] = [...counts.entries()].find(([, records]) => records.length > 1) ?? [];
  expect(() => t.images.resolve(digit as string)).toThrow(`No such image: ${digit}:latest`);
  // A tag is not the default one; the name has a letter that no id has.
  await t.import("box:1");
  expect(() => t.images.resolve("box")).toThrow("No such image: box:latest");
  expect(() => t.images.resolve("x y")).toThrow("invalid reference format");
  expect(() => t.images.resolve("bb:1", "linux/s390x")).toThrow("does not match the specified platform (linux/s390x)");
});

test("a tag that moves leaves a dangling image, and lists show it", async () => {
  using t = new TestImages();
  const options = { all: false, digests: false, sharedSize: false, filters: {} };
  const old = await t.import("t:1", ["LABEL k=v"], "old");
  await t.import("bb:1", [], "new");
  await t.images.tag("bb:1", "t", "1");
  await t.images.tag("bb:1", "other/bb", "3");
  const names = async (filters: Record<string, string[]>, all = false) =>
    (await t.images.list({ ...options, all, filters })).map((image) => image.RepoTags?.join(" ") || "-");
  expect(await names({})).toEqual(["bb:1 t:1 other/bb:3", "-"]);
  expect(await names({ dangling: ["true"] })).toEqual(["-"]);
  expect(await names({ dangling: ["false"] })).toEqual(["bb:1 t:1 other/bb:3"]);
  expect(await names({ reference: ["b*:1"] })).toEqual(["bb:1"]);
  expect(await names({ reference: ["*/bb"] })).toEqual(["other/bb:3"]);
  expect(await names({ label: ["k"] })).toEqual(["-"]);
  expect(await names({ label: ["k=x"] })).toEqual([]);
  expect(await names({ since: [old] })).toEqual(["bb:1 t:1 other/bb:3"]);
  expect(await names({ before: ["bb:1"] })).toEqual(["-"]);
  expect(await names({ until: ["1h"] })).toEqual([]);
  await expect(names({ before: ["nope"] })).rejects.toThrow("No such image: nope:latest");
  await expect(names({ containers: ["1"] })).rejects.toThrow("invalid filter 'containers'");
  await expect(names({ reference: ["["] })).rejects.toThrow("syntax error in pattern");
});

test("shared sizes count layers that two images stand on; containers are counted", async () => {
  using t = new TestImages();
  const id = await t.import("a:1", [], "12345");
  await t.import("b:1", ["CMD x"], "12345");
  await t.import("c:1", [], "1");
  t.addContainer(id);
  const options = { all: false, digests: false, filters: {} };
  const list = await t.images.list({ ...options, sharedSize: true, counted: true });
  const shown = list.map((image) => [image.RepoTags?.[0], image.SharedSize, image.Containers]);
  expect(shown.sort()).toEqual([
    ["a:1", 5, 1],
    ["b:1", 5, 0],
    ["c:1", 0, 0],
  ]);
  const [uncounted] = await t.images.list({ ...options, sharedSize: false });
  expect(uncounted).toMatchObject({ SharedSize: -1, Containers: -1 });
});

test("commit adds a layer and a step, and merges the configs", async () => {
  using t = new TestImages();
  const parent = await t.import("t:1", ["ENV A=1 B=2", "CMD y"], "base");
  using hold = t.images.hold();
  const layer = await t.layers.unpack(stream(tarOf({ added: "12" })));
  const request = {
    parentImageId: parent,
    layer,
    containerConfig: { Hostname: "h", Cmd: ["x", "y"], Env: ["A=1", "B=2"], Labels: { a: "b" }, Volumes: { "/v": {} } },
    containerId: "c0ffee",
    author: "me",
    comment: "msg",
    repo: "t",
    tag: "2",
    changes: ["ENV A=3 C=4", "LABEL q=r"],
  };
  await t.images.createFromContainer({ ...request, tag: "3", config: {} });
  const id = await t.images.createFromContainer(request);
  hold[Symbol.dispose]();
  // A config with nothing in it is none.
  const { Config } = await t.images.inspect("t:2", {});
  expect((await t.images.inspect("t:3", {})).Config).toEqual(Config);
  expect(await t.images.inspect("t:2", {})).toMatchObject({
    Id: id,
    Parent: parent,
    Comment: "msg",
    Author: "me",
    Container: "c0ffee",
    Size: 6,
    Config: { Env: ["A=3", "B=2", "C=4"], Cmd: ["x", "y"], Labels: { a: "b", q: "r" }, Volumes: { "/v": {} } },
  });
  expect(await t.images.history("t:2", {})).toMatchObject([
    { Id: id, Tags: ["t:2"], CreatedBy: "x y", Size: 2, Comment: "msg" },
    { Id: parent, Tags: ["t:1"], Size: 4, Comment: "Imported from -" },
  ]);
  expect(t.events.slice(-2)).toEqual(["create id", "tag t:2"]);
});

test("a commit that changed no file adds no layer", async () => {
  using t = new TestImages();
  const parent = await t.import("t:1");
  const empty = await t.layers.unpack(stream(new Uint8Array(1024)));
  expect(empty.diffId).toBe(emptyLayer);
  const common = {
    parentImageId: parent,
    layer: empty,
    containerConfig: {},
    containerId: "c",
    author: "",
    comment: "",
  };
  const id = await t.images.createFromContainer({ ...common, changes: [] });
  expect(t.images.resolve(id).layers).toEqual(t.images.resolve(parent).layers);
  expect(t.layers.has(emptyLayer)).toBe(false);
  const refused = t.images.createFromContainer({ ...common, changes: ["RUN x"] });
  await expect(refused).rejects.toThrow("RUN is not a valid change command");
});

test("nothing is removed while someone brings layers in", async () => {
  using t = new TestImages();
  const layer = await t.layers.unpack(stream(tarOf({ a: "b" })));
  {
    using _hold = t.images.hold();
    await t.images.releaseLayers([layer.diffId]);
    expect(t.layers.has(layer.diffId)).toBe(true);
  }
  expect(t.layers.has(layer.diffId)).toBe(false);
});

test("the start sweeps what no image or container refers to", async () => {
  using t = new TestImages();
  const id = await t.import("a:1", [], "kept");
  const contained = await t.layers.unpack(stream(tarOf({ c: "of a container" })));
  t.containers.push({ id: "1", image: "gone", running: false, layers: [contained.diffId] });
  const stray = await t.layers.unpack(stream(tarOf({ s: "tray" })));
  const blob = await t.content.put(new Uint8Array([1]), "x");
  mkdirSync(join(t.root, "spool"), { recursive: true });
  expect(await t.images.reconcile()).toEqual({ layers: [stray.diffId], blobs: [blob] });
  expect(existsSync(join(t.root, "spool"))).toBe(false);
  expect(t.images.resolve("a:1").id).toBe(id);
  expect(t.layers.list().map((layer) => layer.diffId)).toContain(contained.diffId);
  expect(t.layers.has(stray.diffId)).toBe(false);
});
