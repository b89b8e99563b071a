import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { copyTree } from "./copy-tree.ts";

function run(...argv: string[]): void {
  const { success, stderr } = Bun.spawnSync(argv);
  if (!success) throw new Error(`${argv.join(" ")}: ${stderr}`);
}

test("where the file system can, a copy shares its blocks with the source", async () => {
  const directory = mkdtempSync(join(tmpdir(), "gantry-copy-tree-"));
  const [image, mounted] = [join(directory, "xfs"), join(directory, "mounted")];
  writeFileSync(image, "");
  truncateSync(image, 512 << 20);
  mkdirSync(mounted);
  run("mkfs.xfs", "-q", image);
  run("mount", "-o", "loop", image, mounted);
  try {
    const [source, target] = [join(mounted, "source"), join(mounted, "target")];
    mkdirSync(source);
    mkdirSync(target);
    const content = Buffer.alloc(64 << 20, "0123456789");
    writeFileSync(join(source, "file"), content);
    run("sync", "-f", mounted);
    const free = () => statfsSync(mounted).bfree * statfsSync(mounted).bsize;
    const before = free();
    await copyTree(source, target, { failure: "cannot copy" });
    run("sync", "-f", mounted);
    expect(before - free()).toBeLessThan(1 << 20);
    expect(readFileSync(join(target, "file")).equals(content)).toBe(true);
  } finally {
    run("umount", mounted);
    rmSync(directory, { recursive: true });
  }
});
