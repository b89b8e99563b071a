import { afterEach, beforeEach, expect, test } from "bun:test";
import { chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mapLines, mountWithOwners } from "./idmap.ts";
import { unmount, unmountIfMounted } from "./mount.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "gantry-idmap-"));
});

afterEach(() => {
  unmountIfMounted(join(root, "to"), { detach: true });
  rmSync(root, { recursive: true });
});

test("two ids change places, all others stay", () => {
  expect(mapLines(1000, 0)).toBe("0 1000 1\n1 1 999\n1000 0 1\n1001 1001 4294966294\n");
  expect(mapLines(5, 6)).toBe("0 0 5\n5 6 1\n6 5 1\n7 7 4294967288\n");
  expect(mapLines(7, 7)).toBe("0 0 4294967295\n");
});

test("what one owns on the disk is the other's on the mount, and what is made there is the first's on the disk", async () => {
  const [from, to] = [join(root, "from"), join(root, "to")];
  for (const path of [from, to]) mkdirSync(path);
  writeFileSync(join(from, "file"), "");
  chownSync(join(from, "file"), 1000, 1001);
  await mountWithOwners(from, to, { uid: { from: 1000, to: 0 }, gid: { from: 1001, to: 0 } });
  expect(statSync(join(to, "file"))).toMatchObject({ uid: 0, gid: 0 });
  writeFileSync(join(to, "made"), "");
  unmount(to);
  expect(statSync(join(from, "made"))).toMatchObject({ uid: 1000, gid: 1001 });
});
