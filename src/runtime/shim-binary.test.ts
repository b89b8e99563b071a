import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeOut } from "./shim-binary.ts";

const directory = mkdtempSync(join(tmpdir(), "gantry-shim-binary-"));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("the carried shim is written once per content, executable, with nothing left beside it", () => {
  const first = writeOut("gantry-shim", Buffer.from("#!/bin/sh\nexit 7\n"), join(directory, "bin"));
  const inode = statSync(first).ino;
  expect(writeOut("gantry-shim", Buffer.from("#!/bin/sh\nexit 7\n"), join(directory, "bin"))).toBe(first);
  expect(statSync(first).ino).toBe(inode);
  expect(Bun.spawnSync([first]).exitCode).toBe(7);
  const second = writeOut("gantry-shim", Buffer.from("#!/bin/sh\nexit 8\n"), join(directory, "bin"));
  expect(second).not.toBe(first);
  expect(readdirSync(join(directory, "bin")).length).toBe(2);
});
