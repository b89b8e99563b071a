import { afterAll, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
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
import { packTree } from "./pack.ts";
import { type EntryType, encodeHeader } from "./tar-format.ts";
import { unpackTree } from "./unpack.ts";

const folder = mkdtempSync(join(tmpdir(), "gantry-tar-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const fresh = (name: string): string => {
  const path = join(folder, name);
  mkdirSync(path);
  return path;
};

function sampleTree(): string {
  const tree = fresh("tree");
  mkdirSync(join(tree, "sub"));
  writeFileSync(join(tree, "small"), "text");
  writeFileSync(join(tree, "sub", "big"), Buffer.alloc(3_000_001, 7));
  chmodSync(join(tree, "small"), 0o4755);
  linkSync(join(tree, "small"), join(tree, "z-hard"));
  symlinkSync("../nowhere", join(tree, "sub", "link"));
  writeFileSync(join(tree, `${"n".repeat(150)}é`), "");
  utimesSync(join(tree, "small"), 1_000_000_000, 1_000_000_000);
  utimesSync(join(tree, "sub"), 1_100_000_000, 1_100_000_000);
  return tree;
}

const tree = sampleTree();

test("what is packed comes out the same, under the new name", async () => {
  const out = fresh("out");
  await unpackTree(packTree(tree, "root"), out, { rename: (name) => name.replace("root", "copy") });
  const copy = join(out, "copy");
  expect(readFileSync(join(copy, "small"), "utf8")).toBe("text");
  expect(lstatSync(join(copy, "small"))).toMatchObject({ mode: 0o104755, mtimeMs: 1e12, nlink: 2 });
  expect(statSync(join(copy, "z-hard")).ino).toBe(statSync(join(copy, "small")).ino);
  expect(readFileSync(join(copy, "sub", "big")).equals(Buffer.alloc(3_000_001, 7))).toBe(true);
  expect(readlinkSync(join(copy, "sub", "link"))).toBe("../nowhere");
  expect(statSync(join(copy, "sub")).mtimeMs).toBe(1.1e12);
  expect(existsSync(join(copy, `${"n".repeat(150)}é`))).toBe(true);
});

test("GNU tar reads it", async () => {
  const child = Bun.spawn(["tar", "tf", "-"], { stdin: new Response(packTree(tree, "root")), stdout: "pipe" });
  const names = (await new Response(child.stdout).text()).trim().split("\n");
  expect(await child.exited).toBe(0);
  expect(names).toContain("root/sub/big");
  expect(names).toHaveLength(7);
});

test("an archive of GNU tar is read, whatever its chunks", async () => {
  const { stdout } = Bun.spawnSync(["tar", "--format=gnu", "-C", folder, "-cf", "-", "tree"]);
  const out = fresh("from-gnu");
  await unpackTree(chunksOf(stdout, 777), out);
  expect(existsSync(join(out, "tree", `${"n".repeat(150)}é`))).toBe(true);
  expect(readFileSync(join(out, "tree", "sub", "big"))).toHaveLength(3_000_001);
});

test("a folder does not replace a file, nor a file a folder", async () => {
  const out = fresh("clash");
  writeFileSync(join(out, "d"), "");
  await expect(unpackTree(archive(["d/", "directory"]), out)).rejects.toThrow(
    `cannot overwrite non-directory "${out}/d" with directory "${out}"`,
  );
  mkdirSync(join(out, "f"));
  await expect(unpackTree(archive(["f", "file"]), out)).rejects.toThrow(
    `cannot overwrite directory "${out}/f" with non-directory "${out}"`,
  );
});

test("nothing is written outside: neither by .. nor through a link", async () => {
  const out = fresh("hostile");
  await expect(unpackTree(archive(["../evil", "file"]), out)).rejects.toThrow("is outside of");
  await expect(unpackTree(archive(["link", "symlink", folder], ["link/evil", "file"]), out)).rejects.toThrow(
    "invalid symlink",
  );
  await expect(unpackTree(archive(["hard", "hardlink", "../tree/small"]), out)).rejects.toThrow("is outside of");
  // A file over a link replaces the link and leaves its target alone.
  writeFileSync(join(folder, "target"), "kept");
  await unpackTree(archive(["over", "symlink", join(folder, "target")], ["over", "file"]), out);
  expect(lstatSync(join(out, "over")).isFile()).toBe(true);
  expect(readFileSync(join(folder, "target"), "utf8")).toBe("kept");
  expect(existsSync(join(folder, "evil"))).toBe(false);
});

test("a cut archive and a broken header are errors", async () => {
  const whole = Buffer.concat(await Array.fromAsync(packTree(join(tree, "sub"), "s")));
  await expect(unpackTree(chunksOf(whole.subarray(0, 5000), 512), fresh("cut"))).rejects.toThrow("unexpected EOF");
  whole[0] = 1;
  await expect(unpackTree(chunksOf(whole, 512), fresh("broken"))).rejects.toThrow("archive/tar: invalid tar header");
});

async function* archive(...entries: [name: string, type: EntryType, link?: string][]): AsyncGenerator<Uint8Array> {
  for (const [name, type, linkName = ""] of entries) {
    const numbers = { mode: 0o755, uid: 0, gid: 0, size: 0, mtime: 0, deviceMajor: 0, deviceMinor: 0 };
    yield encodeHeader({ name, type, linkName, ...numbers });
  }
  yield Buffer.alloc(1024);
}

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
