import { expect, test } from "bun:test";
import { closeSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deviceNumbers, readDevice } from "./devices.ts";
import { parseLimits } from "./host-facts.ts";
import { openInRoot, readTextInRoot, resolveInRoot } from "./resolve.ts";

test("nothing inside a root leads outside of it", () => {
  const root = mkdtempSync(join(tmpdir(), "gantry-resolve-"));
  mkdirSync(join(root, "etc"));
  writeFileSync(join(root, "etc/passwd"), "inside");
  symlinkSync("/etc", join(root, "absolute"));
  symlinkSync("../../../../etc", join(root, "etc/up"));
  symlinkSync("loop", join(root, "loop"));
  Bun.spawnSync(["mkfifo", join(root, "fifo")]);
  for (const path of ["/etc/passwd", "../../etc/passwd", "absolute/passwd", "etc/up/passwd"]) {
    expect(readTextInRoot(root, path)).toBe("inside");
    expect(resolveInRoot(root, path)).toBe(join(root, "etc/passwd"));
  }
  for (const path of ["missing", "etc", "loop", "etc/passwd/x", "fifo"])
    expect(readTextInRoot(root, path)).toBeUndefined();
  expect(() => readTextInRoot(root, "etc/passwd", 3)).toThrow("larger");
  expect(() => closeSync(openInRoot(root, "missing"))).toThrow("ENOENT");
  rmSync(root, { recursive: true });
});

test("device numbers and limits are read as the kernel writes them", () => {
  expect(readDevice("/dev/null")).toMatchObject({ type: "c", major: 1, minor: 3 });
  expect(readDevice("/etc/passwd")).toBeUndefined();
  expect(deviceNumbers(0x10003)).toEqual({ major: 256, minor: 3 });
  expect(
    parseLimits(
      "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 524288               files\nMax core file size        0                    unlimited            bytes\n",
    ),
  ).toEqual({ nofile: { soft: 1024, hard: 524288 }, core: { soft: 0, hard: Number.POSITIVE_INFINITY } });
});
