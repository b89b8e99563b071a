import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chooser, followPaths } from "./chooser.ts";

const root = mkdtempSync(join(tmpdir(), "gantry-chooser-"));
afterAll(() => rmSync(root, { recursive: true }));
for (const directory of ["a/b", "real/deep", "ü"]) mkdirSync(join(root, directory), { recursive: true });
for (const file of ["a/b/one", "a/b/two", "a/b.txt", "real/deep/file", "target", "ü/x"])
  writeFileSync(join(root, file), "");
symlinkSync("../target", join(root, "a/link"));
symlinkSync("/real", join(root, "absolute"));
symlinkSync("loop", join(root, "loop"));
symlinkSync("../../../target", join(root, "a/out"));

const follow = (...paths: string[]) => [...followPaths(root, paths)].sort();

test("links on the way and what they lead to, inside the directory", () => {
  expect(follow("a/b/one")).toEqual(["a/b/one"]);
  expect(follow("a/link")).toEqual(["a/link", "target"]);
  expect(follow("absolute/deep/file")).toEqual(["absolute", "real/deep/file"]);
  expect(follow("a/out")).toEqual(["a/out", "target"]);
  expect(follow("../../target")).toEqual(["target"]);
  expect(follow("loop/x")).toContain("loop");
  expect(follow("missing/x")).toEqual(["missing/x"]);
  expect(follow(".")).toEqual([""]);
});

test("wildcards", () => {
  expect(follow("a/b/*")).toEqual(["a/b/one", "a/b/two"]);
  expect(follow("a/b?txt")).toEqual(["a/b.txt"]);
  expect(follow("*/b/one")).toEqual(expect.arrayContaining(["a/b/one"]));
  expect(follow("a/l*")).toEqual(["a/link", "target"]);
  expect(follow("none*")).toEqual([]);
});

test("what is asked for with all below it and the way there, without what is ignored", () => {
  const choose = chooser(root, ["**/two"], ["a/b", "ü/x"]);
  expect(choose("a")).toBe("look");
  expect(choose("a/b")).toBe("send");
  expect(choose("a/b/one")).toBe("send");
  expect(choose("a/b/two")).toBe("skip");
  expect(choose("a/b.txt")).toBe("skip");
  expect(choose("real")).toBe("skip");
  expect(choose(Buffer.from("ü/x").toString("latin1"))).toBe("send");
});

test("exceptions from what is ignored", () => {
  const choose = chooser(root, ["a", "!a/b/one"], []);
  expect(choose("a")).toBe("look");
  expect(choose("a/b/one")).toBe("send");
  expect(choose("a/b/two")).toBe("skip");
  expect(choose("target")).toBe("send");
});
