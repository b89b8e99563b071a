import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readInRoot, statInRoot } from "./read-file.ts";

const root = mkdtempSync(join(tmpdir(), "gantry-read-file-"));
afterAll(() => rmSync(root, { recursive: true }));

test("what a file is, with all bits of Go's mode; links stay inside", () => {
  mkdirSync(join(root, "d"));
  chmodSync(join(root, "d"), 0o1755);
  writeFileSync(join(root, "d/su"), "text");
  chmodSync(join(root, "d/su"), 0o4755);
  symlinkSync("/d/su", join(root, "link"));
  const [directory, setuid, sticky] = [2 ** 31, 2 ** 23, 2 ** 20];
  expect(statInRoot(root, "/d").mode).toBe(directory + sticky + 0o755);
  expect(statInRoot(root, "/d/su")).toMatchObject({ path: Buffer.from("su"), mode: setuid + 0o755, size: 4 });
  expect(statInRoot(root, "/link").mode).toBe(setuid + 0o755);
});

test("parts of files; what is no file is not there", () => {
  expect(readInRoot(root, "/link", { Offset: 1, Length: 2 }).toString()).toBe("ex");
  expect(readInRoot(root, "/link", { Offset: 2, Length: 0 }).toString()).toBe("xt");
  for (const path of ["/d", "/none"]) expect(() => readInRoot(root, path, null)).toThrow("no such file or directory");
  expect(() => statInRoot(undefined, "/d")).toThrow("open /d: no such file or directory");
});
