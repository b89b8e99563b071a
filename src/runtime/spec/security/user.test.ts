import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { resolveUser } from "./user.ts";

let root: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "gantry-user-"));
  mkdirSync(join(root, "real"));
  // The image's /etc is an absolute link: on the host it would lead elsewhere.
  symlinkSync("/real", join(root, "etc"));
  writeFileSync(
    join(root, "real/passwd"),
    "root:x:0:0:root:/root:/bin/sh\n# note\nweb:x:33:44:Web:/srv/web:/bin/sh\nplain:x:50:50::/:\nodd:x\n",
  );
  writeFileSync(join(root, "real/group"), "root:x:0:\nweb:x:44:\naudio:x:29:web\nvideo:x:27:web,root\n");
});

afterAll(() => rmSync(root, { recursive: true }));

/** Recorded from dockerd 28.5 with these files. */
test.each([
  ["", 0, 0, [0, 27], "/root"],
  ["web", 33, 44, [44, 29, 27], "/srv/web"],
  ["web:", 33, 44, [44, 29, 27], "/srv/web"],
  ["33", 33, 44, [44, 29, 27], "/srv/web"],
  ["web:audio", 33, 29, [29], "/srv/web"],
  ["33:29", 33, 29, [29], "/srv/web"],
  ["web:98", 33, 98, [98], "/srv/web"],
  ["99", 99, 0, [0], "/"],
  ["99:98", 99, 98, [98], "/"],
  ["root:web", 0, 44, [44], "/root"],
  [":audio", 0, 29, [29], "/root"],
  ["plain", 50, 50, [50], "/"],
])("-u %s", (spec, uid, gid, additionalGids, home) => {
  expect(resolveUser(root, spec)).toEqual({ uid, gid, additionalGids, home });
});

test("--group-add takes names and numbers", () => {
  expect(resolveUser(root, "web", ["77", "video"]).additionalGids).toEqual([44, 29, 27, 77]);
});

test.each([
  ["nope", [], "unable to find user nope: no matching entries in passwd file"],
  ["web:nope", [], "unable to find group nope: no matching entries in group file"],
  ["web", ["nope"], "unable to find group nope: no matching entries in group file"],
  ["3000000000", [], "uids and gids must be in range 0-2147483647"],
  ["-5", [], "uids and gids must be in range 0-2147483647"],
])("-u %s --group-add %j is refused", (spec, groups, message) => {
  expect(() => resolveUser(root, spec, groups)).toThrow(message);
});

test("an image without those files has numbers only", () => {
  const empty = mkdtempSync(join(tmpdir(), "gantry-user-"));
  expect(resolveUser(empty)).toEqual({ uid: 0, gid: 0, additionalGids: [0], home: "/" });
  expect(resolveUser(empty, "7:8").gid).toBe(8);
  expect(() => resolveUser(empty, "root")).toThrow("unable to find user root");
  rmSync(empty, { recursive: true });
});
