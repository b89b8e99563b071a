import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, statfsSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spreadDirectories } from "./spread.ts";

const ext4 = 0xef53;

test("directories are spread over ext4, and it does no harm elsewhere", () => {
  const path = mkdtempSync(join(tmpdir(), "gantry-spread-"));
  try {
    spreadDirectories(path);
    spreadDirectories(path);
    if (statfsSync(path).type === ext4) {
      const listed = Bun.spawnSync(["lsattr", "-d", path]).stdout.toString();
      expect(listed.split(" ")[0]).toContain("T");
    }
    spreadDirectories("/proc");
    mkdirSync(join(path, "a"));
    expect(statSync(join(path, "a")).isDirectory()).toBe(true);
  } finally {
    rmSync(path, { recursive: true });
  }
});
