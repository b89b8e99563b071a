import { describe, expect, test } from "bun:test";
import { keepEnding, planCopy, rebase, renamer, splitArgument, splitPath } from "./copy-paths.ts";

test.each([
  ["web:/etc", { container: "web", path: "/etc" }],
  ["web:", { container: "web", path: "" }],
  ["/a:b", { container: "", path: "/a:b" }],
  ["./a:b", { container: "", path: "./a:b" }],
  ["file", { container: "", path: "file" }],
])("argument %s", (argument, expected) => {
  expect(splitArgument(argument)).toEqual(expected);
});

test.each([
  ["/a/b", { parent: "/a", base: "b" }],
  ["/a/b/", { parent: "/a", base: "b" }],
  ["/a/b/.", { parent: "/a/b", base: "." }],
  ["/", { parent: "/", base: "/" }],
])("split %s", (path, expected) => {
  expect(splitPath(path)).toEqual(expected);
});

test("an ending's meaning survives", () => {
  expect(keepEnding("/x/a", "a/.")).toBe("/x/a/.");
  expect(keepEnding("/x/a", "a/")).toBe("/x/a/");
  expect(keepEnding("/x/a", "a")).toBe("/x/a");
});

test("a followed link keeps the name that was asked for", () => {
  expect(rebase("/a/link", "/b/target")).toEqual({ path: "/b/target", rebaseName: "link" });
  expect(rebase("/a/same", "/b/same")).toEqual({ path: "/b/same" });
});

describe("plans", () => {
  const file = { path: "/s/f", exists: true, isDirectory: false };
  const folder = { path: "/s/d", exists: true, isDirectory: true };
  const at = (path: string, kind?: "file" | "folder") => ({
    path,
    exists: kind !== undefined,
    isDirectory: kind === "folder",
  });

  test.each([
    ["file into a folder", file, at("/t", "folder"), { folder: "/t", to: "f" }],
    ["file over a file", file, at("/t/g", "file"), { folder: "/t", to: "g" }],
    ["file to a new name", file, at("/t/g"), { folder: "/t", to: "g" }],
    ["folder into a folder", folder, at("/t", "folder"), { folder: "/t", to: "d" }],
    ["folder to a new name", folder, at("/t/e"), { folder: "/t", to: "e" }],
    ["contents to a new name", { ...folder, path: "/s/d/." }, at("/t/e"), { folder: "/t", to: "e" }],
    ["contents into a folder", { ...folder, path: "/s/d/." }, at("/t", "folder"), { folder: "/t", to: "." }],
    ["renamed by a link", { ...file, rebaseName: "l" }, at("/t", "folder"), { folder: "/t", to: "l" }],
  ])("%s", (_name, source, destination, plan) => {
    expect(planCopy(source, destination)).toEqual(plan);
  });

  test("what cannot be", () => {
    expect(() => planCopy(folder, at("/t/g", "file"))).toThrow("cannot copy directory");
    expect(() => planCopy(file, at("/t/new/"))).toThrow("no such directory");
  });
});

test("renaming touches the root's name only", () => {
  expect(renamer("d", "e")("d/d/x")).toBe("e/d/x");
  expect(renamer(".", "e")("./x")).toBe("e/x");
  expect(renamer("d", "$&")("d/")).toBe("$&/");
  expect(renamer("/", "r")("etc/passwd")).toBe("retc/passwd");
});
