import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Logger } from "../base/log.ts";
import { Trash } from "./trash.ts";

const root = mkdtempSync(join(tmpdir(), "gantry-trash-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function tree(name: string): string {
  const path = join(root, name);
  mkdirSync(path);
  writeFileSync(join(path, "file"), "x");
  return path;
}

test("what is discarded is gone at once, and deleted by the end", async () => {
  const trash = new Trash(join(root, "one"), new Logger("error"));
  expect(trash.discard(join(root, "never-there"))).toBeUndefined();
  trash.discard(tree("a"));
  expect(readdirSync(root)).not.toContain("a");
  await trash.close();
  expect(readdirSync(join(root, "one"))).toEqual([]);
});

test("what a daemon leaves, the next one deletes", async () => {
  const directory = join(root, "two");
  mkdirSync(directory);
  mkdirSync(join(directory, "left"));
  const trash = new Trash(directory, new Logger("error"));
  trash.empty();
  await trash.close();
  expect(readdirSync(directory)).toEqual([]);
});

test("an end that takes long is cut: the daemon stops, and nothing is lost but time", async () => {
  const directory = join(root, "three");
  const trash = new Trash(directory, new Logger("error"), { closingMillis: 0, command: ["sleep", "1000"] });
  trash.discard(tree("b"));
  await trash.close();
  expect(readdirSync(directory)).toHaveLength(1);
});
