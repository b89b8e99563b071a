import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "../../../oci/digest.ts";
import { MemoryLayers } from "../memory-layers.ts";
import { stream, tarOf } from "../testing.ts";
import { ArchiveContents } from "./contents.ts";
import { Spool } from "./spool.ts";

const layer = tarOf({ a: "1".repeat(5000) });
const archive = tarOf({ "x/layer.tar": layer, "y/layer.tar": Bun.gzipSync(new Uint8Array(layer)), "z.json": "{}" });

async function takeIn(direct: number): Promise<{ contents: ArchiveContents; spooled: number }> {
  const directory = mkdtempSync(join(tmpdir(), "gantry-contents-"));
  try {
    await using spool = new Spool(join(directory, "spool"));
    const contents = new ArchiveContents(direct);
    const options = { layers: new MemoryLayers(), spool, progress: () => {}, signal: new AbortController().signal };
    await contents.takeIn(stream(archive), options);
    await contents.unpacked();
    const [file] = readdirSync(join(directory, "spool"));
    return { contents, spooled: Bun.file(join(directory, "spool", file ?? "")).size };
  } finally {
    expect(existsSync(join(directory, "spool")) ? readdirSync(join(directory, "spool")) : []).toEqual([]);
    rmSync(directory, { recursive: true });
  }
}

test("layers unpack from the spool, huge ones from the stream", async () => {
  const viaSpool = await takeIn(1 << 20);
  const direct = await takeIn(100);
  expect(viaSpool.spooled - direct.spooled).toBe(layer.length);
  for (const { contents } of [viaSpool, direct]) {
    expect((await contents.layer("x/layer.tar")).diffId).toBe(digestOf(layer));
    expect((await contents.layer("./y/layer.tar")).diffId).toBe(digestOf(layer));
    expect(Buffer.from(contents.read("/z.json")).toString()).toBe("{}");
    await expect(contents.layer("z.json")).rejects.toThrow("unexpected EOF");
    await expect(contents.layer("nothere")).rejects.toThrow("open nothere: no such file or directory");
  }
});
