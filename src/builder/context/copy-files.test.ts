import { afterAll, afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { UnpackLayerResult } from "../../archive/layers/layer-files.ts";
import { JobWorkers } from "../../archive/processes/job-workers.ts";
import { makeArchive } from "../../archive/tar/test-archive.ts";
import { type CopyRequest, copyFiles, copyLayerJob, prepareCopy } from "./copy-files.ts";
import { parseGitUrl } from "./git.ts";

const folder = mkdtempSync(join(tmpdir(), "gantry-copy-"));
let workers: JobWorkers;
afterEach(() => workers[Symbol.asyncDispose]());
afterAll(() => rmSync(folder, { recursive: true }));
const [root, target] = [join(folder, "context"), join(folder, "target")];
const { signal } = new AbortController();

beforeEach(() => {
  workers = new JobWorkers("__build");
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
  await copyFiles(await prepareCopy(request(paths, destination, more), workers), { target, owner: undefined, signal });
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
  await expect(prepareCopy(request(["../x"], "/x"), workers)).rejects.toThrow(
    "forbidden path outside the build context: ../x ()",
  );
  // The link is followed inside the context, where there is no /etc.
  await expect(prepareCopy(request(["out/passwd"], "/x"), workers)).rejects.toThrow("file not found in build context");
  symlinkSync(folder, join(target, "away"));
  await copy(["a"], "/away/evil");
  expect(existsSync(join(folder, "evil"))).toBe(false);
  expect(existsSync(join(target, folder, "evil"))).toBe(true);
  expect(existsSync(join(folder, "evil"))).toBe(false);
});

test("digests are of names, modes and contents, not of times", async () => {
  const digest = async () => {
    // The tree changes in between.
    await using fresh = new JobWorkers("__build");
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
  await copy(["dir"], "/x/", { exclude: ["deep"], mode: "750" });
  expect(existsSync(join(target, "x/deep"))).toBe(false);
  chmodSync(join(root, "dir/deep"), 0o700);
  mkdirSync(join(root, "dir/other"));
  await copy(["dir"], "/z/", { exclude: ["*", "!deep/d", "!other/nothing"] });
  expect(readdirSync(join(target, "z"))).toEqual(["deep"]);
  expect(lstatSync(join(target, "z/deep")).mode & 0o777).toBe(0o700);
  await copy(["./dir/deep/d"], "/y/", { parents: true, mode: "600" });
  expect(lstatSync(join(target, "y/dir/deep/d")).mode & 0o777).toBe(0o600);
});

test("a copy from one place is a layer at once, with the directories on the way as they are there", async () => {
  const layer = async (name: string, paths: string[], destination: string) => {
    const prepared = await prepareCopy(request(paths, destination), workers);
    const job = copyLayerJob(prepared, { target, owner: { uid: 1, gid: 2 } });
    if (!job) throw new Error("no job");
    const directory = join(folder, name);
    mkdirSync(directory);
    const { diffId, size } = (await workers.run({ ...job, directory })) as UnpackLayerResult;
    expect(diffId).toMatch(/^sha256:[0-9a-f]{64}$/);
    return { size, tree: join(directory, "diff") };
  };
  const look = (path: string) => {
    const { mode, uid, gid } = lstatSync(path);
    return `${(mode & 0o7777).toString(8)} ${uid}:${gid}`;
  };
  mkdirSync(join(target, "real"), { mode: 0o700 });
  symlinkSync("/real", join(target, "link"));
  const one = await layer("one", ["a"], "/link/new/");
  expect(one.size).toBe(1);
  expect(look(join(one.tree, "real"))).toBe("700 0:0");
  expect(look(join(one.tree, "real/new"))).toBe("755 1:2");
  expect(look(join(one.tree, "real/new/a"))).toBe("644 1:2");
  expect(readFileSync(join(one.tree, "real/new/a"), "utf8")).toBe("a");
  // What is there already does not matter: the layer lies on top.
  writeFileSync(join(target, "real/deep"), "");
  const two = await layer("two", ["dir"], "/real/");
  expect(readFileSync(join(two.tree, "real/deep/d"), "utf8")).toBe("d");
  expect(readlinkSync(join(two.tree, "real/link"))).toBe("../a");
});

test("addresses of Git repositories", () => {
  expect(parseGitUrl("https://x/y.git#ref:sub")).toEqual({ url: "https://x/y.git", ref: "ref", subdirectory: "sub" });
  expect(parseGitUrl("github.com/a/b")?.url).toBe("https://github.com/a/b");
  expect(parseGitUrl("git@host:a/b.git")?.ref).toBe("");
  expect(parseGitUrl("https://x/y.tar.gz")).toBeUndefined();
  expect(() => parseGitUrl("git://x/y#--upload-pack=evil")).toThrow("invalid refspec");
});

test("links in the destination are followed, also one that leads nowhere yet", async () => {
  mkdirSync(join(target, "real"));
  writeFileSync(join(target, "old"), "old");
  for (const [to, name] of [
    ["/real", "directory"],
    ["old", "file"],
    ["/new/place", "nowhere"],
    ["loop", "loop"],
  ] as const) {
    symlinkSync(to, join(target, name));
  }
  await copy(["a"], "/directory");
  await copy(["a"], "/file");
  await copy(["dir"], "/nowhere");
  expect(readFileSync(join(target, "real/a"), "utf8")).toBe("a");
  expect(readFileSync(join(target, "old"), "utf8")).toBe("a");
  expect(readFileSync(join(target, "new/place/deep/d"), "utf8")).toBe("d");
  await expect(copy(["dir"], "/old")).rejects.toThrow("failed to copy directory: mkdir /old: not a directory");
  await expect(copy(["a"], "/old/x")).rejects.toThrow("lstat /old/x: not a directory");
  await expect(copy(["a"], "/loop")).rejects.toThrow("lstat /loop: too many levels of symbolic links");
});

test("what paths and patterns name, and what Docker says of those that name nothing", async () => {
  writeFileSync(join(root, "ü☺"), "text");
  writeFileSync(join(root, "star*"), "star");
  symlinkSync("nowhere", join(root, "dangling"));
  await copy(["?☺"], "/g/");
  await copy(["st?r[*]"], "/h");
  expect(readFileSync(join(target, "g/ü☺"), "utf8")).toBe("text");
  expect(readFileSync(join(target, "h"), "utf8")).toBe("star");
  const refusal = (path: string) => prepareCopy(request([path], "/x/"), workers).catch((error: Error) => error.message);
  const missing = "file not found in build context or excluded by .dockerignore: stat";
  expect(await refusal("d*g")).toBe(`${missing} dangling: file does not exist`);
  expect(await refusal("star\\*")).toBe(`${missing} star\\*: file does not exist`);
  expect(await refusal("/nothere")).toBe(`${missing} nothere: file does not exist`);
  expect(await refusal("a/b")).toBe("forbidden path outside the build context: a/b ()");
  for (const none of ["x*", "[", "a["]) expect(await refusal(none)).toBe("no source files were specified");
  const ofImage = request(["nothere"], "/x");
  ofImage.sources = ofImage.sources.map((source) => ({ ...source, preserve: true }));
  await expect(prepareCopy(ofImage, workers)).rejects.toThrow(/^stat nothere: file does not exist$/);
});

test("an archive with a name of any encoding is unpacked", async () => {
  const name = Buffer.concat([Buffer.from(`${root}/t`), Buffer.from([0xff]), Buffer.from("ü.tgz")]);
  const sources = [{ root, paths: ["t*"], literal: false, preserve: false, extract: true }];
  writeFileSync(name, gzipSync(makeArchive([{ name: "in", content: "packed" }])));
  await copy([], "/u", { sources });
  expect(readFileSync(join(target, "u/in"), "utf8")).toBe("packed");
});

test("--parents: the directories on the way keep their modes, `/./` says where the new path begins, `**` leads deep", async () => {
  chmodSync(join(root, "dir"), 0o710);
  await copy(["dir/deep/d"], "/p/", { parents: true });
  await copy(["dir/./deep/d"], "/q/", { parents: true });
  await copy(["**/d"], "/r/", { parents: true });
  expect(lstatSync(join(target, "p/dir")).mode & 0o777).toBe(0o710);
  expect(readFileSync(join(target, "q/deep/d"), "utf8")).toBe("d");
  expect(readFileSync(join(target, "r/dir/deep/d"), "utf8")).toBe("d");
});

test("a file that took another one's place has a digest of its own, even with the same inode, size and time", async () => {
  const digest = async () => (await prepareCopy(request(["a"], "/x"), workers)).digest;
  const before = await digest();
  const path = join(root, "a");
  const { ino, mtimeMs } = statSync(path);
  writeFileSync(path, "b");
  utimesSync(path, mtimeMs / 1000, mtimeMs / 1000);
  expect(statSync(path).ino).toBe(ino);
  expect(await digest()).not.toBe(before);
});
