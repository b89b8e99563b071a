import { expect, test } from "bun:test";
import { TestImages } from "./testing.ts";

const keep = { force: false, noPrune: false };
const force = { force: true, noPrune: false };

test("a name goes alone while the image has others, and the image goes with its last one", async () => {
  using t = new TestImages();
  const id = await t.import("a:1");
  await t.images.tag("a:1", "b", "2");
  t.events.length = 0;
  expect(await t.images.remove("a:1", keep)).toEqual([{ Untagged: "a:1" }]);
  const layer = t.images.resolve(id).layers[0] as string;
  expect(await t.images.remove("b:2", keep)).toEqual([{ Untagged: "b:2" }, { Deleted: id }, { Deleted: layer }]);
  expect(t.layers.list()).toEqual([]);
  expect(t.content.list()).toEqual([]);
  expect(t.events).toEqual(["untag id", "untag id", "delete id"]);
});

test("an id with names in several repositories must be forced", async () => {
  using t = new TestImages();
  const id = await t.import("a:1");
  await t.images.tag("a:1", "b", "");
  const short = id.slice(7, 19);
  await expect(t.images.remove(short, keep)).rejects.toThrow(
    `conflict: unable to delete ${short} (must be forced) - image is referenced in multiple repositories`,
  );
  expect((await t.images.remove(short, force)).slice(0, 3)).toEqual([
    { Untagged: "a:1" },
    { Untagged: "b:latest" },
    { Deleted: id },
  ]);
});

test("an id with one name takes the name along", async () => {
  using t = new TestImages();
  const id = await t.import("a:1");
  expect((await t.images.remove(id.slice(7, 10), keep)).slice(0, 2)).toEqual([{ Untagged: "a:1" }, { Deleted: id }]);
});

test("a stopped container must be overruled, and its layers stay until it goes", async () => {
  using t = new TestImages();
  const id = await t.import("a:1");
  const short = id.slice(7, 19);
  const [layer] = t.images.resolve(id).layers;
  t.addContainer(id);
  await expect(t.images.remove("a:1", keep)).rejects.toThrow(
    `conflict: unable to remove repository reference "a:1" (must force) - container 111111111111 is using its referenced image ${short}`,
  );
  await expect(t.images.remove(id, keep)).rejects.toThrow(
    `conflict: unable to delete ${short} (must be forced) - image is being used by stopped container 111111111111`,
  );
  expect(await t.images.remove(id, force)).toEqual([{ Untagged: "a:1" }, { Deleted: id }]);
  expect(t.layers.has(layer as string)).toBe(true);
  t.containers.length = 0;
  await t.images.releaseLayers([layer as string]);
  expect(t.layers.has(layer as string)).toBe(false);
});

test("the last name of an image that a container mounts must be forced", async () => {
  using t = new TestImages();
  const id = await t.import("a:1");
  t.mounting.push({ id: "2".repeat(64), image: id });
  await expect(t.images.remove("a:1", keep)).rejects.toThrow(
    `unable to remove repository reference "a:1" (must force) - container 222222222222 is using its referenced image ${id.slice(7, 19)}`,
  );
  await t.images.tag("a:1", "b", "2");
  expect(await t.images.remove("a:1", keep)).toEqual([{ Untagged: "a:1" }]);
  expect((await t.images.remove("b:2", force))[1]).toEqual({ Deleted: id });
});

test("a running container cannot be overruled, but a name can go", async () => {
  using t = new TestImages();
  const id = await t.import("a:1");
  const short = id.slice(7, 19);
  t.addContainer(id, true);
  await expect(t.images.remove(id, force)).rejects.toThrow(
    `conflict: unable to delete ${short} (cannot be forced) - image is being used by running container 111111111111`,
  );
  expect(await t.images.remove("a:1", force)).toEqual([{ Untagged: "a:1" }]);
  expect(t.images.resolve(id).id).toBe(id);
});

test("parents without a name go with their last child, and stay on request", async () => {
  using t = new TestImages();
  const commit = (parent: string, tag: string) =>
    t.images.createFromContainer({
      parentImageId: parent,
      layer: t.layers.get(t.images.resolve(parent).layers[0] as string),
      containerConfig: { Cmd: ["x"] },
      containerId: "c",
      author: "",
      comment: "",
      repo: "t",
      tag,
      changes: [],
    });
  const one = await t.import("t:1");
  const two = await commit(one, "2");
  const three = await commit(two, "3");
  expect(await t.images.remove("t:1", keep)).toEqual([{ Untagged: "t:1" }]);
  await expect(t.images.remove(one, keep)).rejects.toThrow("(cannot be forced) - image has dependent child images");
  expect(await t.images.remove("t:2", keep)).toEqual([{ Untagged: "t:2" }]);
  const kept = await t.images.remove("t:3", { force: false, noPrune: true });
  expect(kept.map((item) => item.Deleted).filter((item) => item === one || item === two)).toEqual([]);
  expect(kept[1]).toEqual({ Deleted: three });
  const rest = (await t.images.remove(two, keep)).map((item) => item.Deleted);
  expect(rest.filter((item) => item === one || item === two)).toEqual([two, one]);
  expect(t.layers.list()).toEqual([]);
});

test("what is not there is reported in dockerd's words", async () => {
  using t = new TestImages();
  const hex = "a".repeat(64);
  await expect(t.images.remove("nope", keep)).rejects.toThrow("No such image: nope:latest");
  await expect(t.images.remove(hex, keep)).rejects.toThrow(`No such image: sha256:${hex}`);
  await expect(t.images.remove("Foo", keep)).rejects.toThrow(
    "invalid reference format: repository name (library/Foo) must be lowercase",
  );
});

test("prune takes dangling images, or all that are unused, and counts what it freed", async () => {
  using t = new TestImages();
  const dangling = await t.import(undefined, [], "12345");
  const used = await t.import("used:1", ["LABEL k=v"], "u");
  await t.import("free:1", [], "123");
  t.addContainer(used);
  const first = await t.images.prune({});
  expect(first.SpaceReclaimed).toBe(5);
  expect(first.ImagesDeleted?.[0]).toEqual({ Deleted: dangling });
  expect(await t.images.prune({ until: ["1h"], dangling: ["false"] })).toEqual({
    ImagesDeleted: null,
    SpaceReclaimed: 0,
  });
  await t.images.tag("used:1", "used", "0");
  const second = (await t.images.prune({ dangling: ["0"] })).ImagesDeleted;
  expect(second).toContainEqual({ Untagged: "free:1" });
  expect(second).toContainEqual({ Untagged: "used:0" });
  expect(t.images.resolve("used:1").id).toBe(used);
  expect(() => t.images.resolve("used:0")).toThrow("No such image: used:0");
  expect(t.events.at(-1)).toBe("prune");
  await expect(t.images.prune({ bogus: ["x"] })).rejects.toThrow("invalid filter 'bogus'");
  await expect(t.images.prune({ dangling: ["z"] })).rejects.toThrow("invalid filter 'dangling=[z]'");
});
