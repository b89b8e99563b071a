import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stream, tarOf } from "../testing.ts";
import { normalize, TarStream } from "./tar-stream.ts";

const long = `${"directory/".repeat(14)}${"n".repeat(120)}ü`;

test.each(["gnu", "pax", "ustar"])("what GNU tar writes as %s", async (format) => {
  const root = mkdtempSync(join(tmpdir(), "gantry-tar-stream-"));
  try {
    const name = format === "ustar" ? "short" : long;
    mkdirSync(join(root, name, ".."), { recursive: true });
    writeFileSync(join(root, name), "content");
    mkdirSync(join(root, "d"));
    symlinkSync("../e", join(root, "d", "link"));
    const tar = Bun.spawnSync(["tar", `--format=${format}`, "-C", root, "-cf", "-", name, "d"]);
    expect(tar.exitCode).toBe(0);
    const reader = new TarStream(stream(tar.stdout, 700));
    const found: string[] = [];
    for (let entry = await reader.next(); entry; entry = await reader.next()) {
      const content = entry.name === name ? (await reader.readContent()).toString() : "";
      found.push(`${entry.type} ${entry.name} ${entry.target} ${content}`.trim());
    }
    expect(found).toEqual([`file ${name}  content`, "directory d", "link d/link e"]);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test("content can be peeked at, read in part, and skipped", async () => {
  const reader = new TarStream(stream(tarOf({ a: "x".repeat(3000), b: "y" }), 600));
  await reader.next();
  expect((await reader.peek(1000)).length).toBeGreaterThanOrEqual(1000);
  for await (const part of reader.content()) {
    expect(part[0]).toBe(120);
    break;
  }
  expect(await reader.next()).toMatchObject({ name: "b", size: 1 });
  expect((await reader.readContent()).toString()).toBe("y");
  expect(await reader.next()).toBeUndefined();
});

test("an archive that is cut short, and a name that is an attack", async () => {
  const cut = new TarStream(stream(tarOf({ a: "x".repeat(3000) }).subarray(0, 2000)));
  await cut.next();
  await expect(cut.next()).rejects.toThrow("unexpected EOF");
  const huge = Buffer.from(tarOf({ a: Buffer.alloc(2 << 20) }));
  huge.write("L", 156);
  const sum = huge
    .subarray(0, 512)
    .fill(" ", 148, 156)
    .reduce((total, byte) => total + byte, 0);
  huge.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  await expect(new TarStream(stream(huge)).next()).rejects.toThrow("archive/tar: header field too long");
});

test("names cannot climb", () => {
  expect(normalize("./a//b/")).toBe("a/b");
  expect(normalize("../../etc/passwd")).toBe("etc/passwd");
  expect(normalize("/")).toBe("");
});
