import { afterAll, afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CopyRequest, copyArchive, copyFiles, prepareCopy } from "./copy-files.ts";
import { CopyScanners } from "./copy-scanners.ts";
import { parseGitUrl } from "./git.ts";

const folder = mkdtempSync(join(tmpdir(), "gantry-copy-"));
let scanners: CopyScanners;
afterEach(() => scanners[Symbol.asyncDispose]());
afterAll(() => rmSync(folder, { recursive: true }));
const [root, target] = [join(folder, "context"), join(folder, "target")];
const { signal } = new AbortController();

beforeEach(() => {
  scanners = new CopyScanners();
  for (const directory of [root, target]) rmSync(directory, { recursive: true, force: true });
  mkdirSync(join(root, "dir/deep"), { recursive: true });
  writeFileSync(join(root, "a"), "a");
  writeFileSync(join(root, "dir/deep/d"), "d");
  symlinkSync("/etc", join(root, "out"));
  symlinkSync("../a", join(root, "dir/link"));
  mkdirSync(target);
});

const request = (paths: string[], destination: string, more: Partial<CopyRequest> = {}): CopyRequest => ({
  name: "COPY",
  sources: [{ root, paths, literal: false, preserve: false, extract: false }],
  destination,
  mode: undefined,
  parents: false,
  exclude: [],
  ...more,
});

async function copy(paths: string[], destination: string, more: Partial<CopyRequest> = {}): Promise<void> {
  await copyFiles(await prepareCopy(request(paths, destination, more), scanners), { target, owner: undefined, signal });
}

test("files, the content of directories, patterns; links in a directory stay, one that is named is followed", async () => {
  await copy(["a"], "/one");
  await copy(["dir"], "/two");
  await copy(["d*", "a"], "/three/");
  await copy(["dir/link"], "/four");
  expect(readFileSync(join(target, "one"), "utf8")).toBe("a");
  expect(readFileSync(join(target, "two/deep/d"), "utf8")).toBe("d");
  expect(readlinkSync(join(target, "two/link"))).toBe("../a");
  expect(existsSync(join(target, "three/a"))).toBe(true);
  expect(existsSync(join(target, "three/deep/d"))).toBe(true);
  expect(lstatSync(join(target, "four")).isFile()).toBe(true);
});

test("nothing leads out of the context or of the target", async () => {
  await expect(prepareCopy(request(["../x"], "/x"), scanners)).rejects.toThrow(
    "forbidden path outside the build context: ../x ()",
  );
  // The link is followed inside the context, where there is no /etc.
  await expect(prepareCopy(request(["out/passwd"], "/x"), scanners)).rejects.toThrow("file not found in build context");
  symlinkSync(folder, join(target, "away"));
  await expect(copy(["a"], "/away/evil")).rejects.toThrow();
  expect(existsSync(join(folder, "evil"))).toBe(false);
});

test("digests are of names, modes and contents, not of times", async () => {
  const digest = async () => {
    // The tree changes in between.
    await using fresh = new CopyScanners();
    return (await prepareCopy(request(["dir"], "/x"), fresh)).digest;
  };
  const before = await digest();
  expect(before).toMatch(/^dir:[0-9a-f]{64}$/);
  rmSync(join(root, "dir/deep/d"));
  writeFileSync(join(root, "dir/deep/d"), "d");
  expect(await digest()).toBe(before);
  chmodSync(join(root, "dir/deep/d"), 0o600);
  expect(await digest()).not.toBe(before);
});

test("exclude, parents, modes", async () => {
  await copy(["dir"], "/x/", { exclude: ["deep"], mode: 0o750 });
  expect(existsSync(join(target, "x/deep"))).toBe(false);
  await copy(["./dir/deep/d"], "/y/", { parents: true, mode: 0o600 });
  expect(lstatSync(join(target, "y/dir/deep/d")).mode & 0o777).toBe(0o600);
});

test("a copy that meets nothing is a layer at once; one that meets something is not", async () => {
  const archive = async (paths: string[], destination: string) =>
    copyArchive(await prepareCopy(request(paths, destination), scanners), {
      target,
      owner: { uid: 1, gid: 2 },
      signal,
    });
  mkdirSync(join(target, "real"), { mode: 0o700 });
  symlinkSync("/real", join(target, "link"));
  const body = await archive(["a"], "/link/new/");
  if (!body) throw new Error("no archive");
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  const listed = Bun.spawnSync(["tar", "--numeric-owner", "-tvf", "-"], {
    stdin: Buffer.concat(chunks),
  }).stdout.toString();
  expect(listed.split("\n").map((line) => line.replace(/ +\d+ \d{4}.*\d\d:\d\d /, " "))).toEqual([
    "drwx------ 0/0 real/",
    "drwxr-xr-x 1/2 real/new/",
    "-rw-r--r-- 1/2 real/new/a",
    "",
  ]);
  writeFileSync(join(target, "real/there"), "");
  expect(await archive(["dir"], "/real/")).toBeUndefined();
  expect(await archive(["a"], "/real/there")).toBeUndefined();
});

test("addresses of Git repositories", () => {
  expect(parseGitUrl("https://x/y.git#ref:sub")).toEqual({ url: "https://x/y.git", ref: "ref", subdirectory: "sub" });
  expect(parseGitUrl("github.com/a/b")?.url).toBe("https://github.com/a/b");
  expect(parseGitUrl("git@host:a/b.git")?.ref).toBe("");
  expect(parseGitUrl("https://x/y.tar.gz")).toBeUndefined();
  expect(() => parseGitUrl("git://x/y#--upload-pack=evil")).toThrow("invalid refspec");
});
