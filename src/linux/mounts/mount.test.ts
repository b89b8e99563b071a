import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mount, mountFlags, parseMountInfoLine, readMountInfo, unmount, unmountIfMounted } from "./mount.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "gantry mount-"));
});
afterAll(() => {
  unmountIfMounted(directory, { detach: true });
  rmSync(directory, { recursive: true });
});

test("a tmpfs is mounted, seen in mountinfo with its space unescaped, and unmounted", () => {
  mount({ source: "tmpfs", target: directory, type: "tmpfs", flags: mountFlags.nosuid, data: "size=64k" });
  const info = readMountInfo().find(({ mountPoint }) => mountPoint === directory);
  expect(info?.type).toBe("tmpfs");
  expect(info?.options).toContain("nosuid");
  unmount(directory);
  expect(unmountIfMounted(directory)).toBe(false);
});

test("a failed mount says which target and errno", () => {
  expect(() => mount({ source: "x", target: `${directory}/missing`, type: "tmpfs" })).toThrow(/missing: ENOENT/);
});

test("optional fields of mountinfo are parsed", () => {
  const info = parseMountInfoLine(
    "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue",
  );
  expect(info).toMatchObject({
    id: 36,
    parent: 35,
    propagation: ["master:1", "shared:2"],
    type: "ext3",
    source: "/dev/root",
  });
});
