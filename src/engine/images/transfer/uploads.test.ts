import { afterEach, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { collect } from "../../../base/streams.ts";
import { digestOf } from "../../../oci/digest.ts";
import { stream, TestImages, tarOf } from "../testing.ts";
import { Uploads } from "./uploads.ts";

const fixture = new TestImages();
afterEach(() => fixture[Symbol.dispose]());

test("a compressed layer has no time in it, can be read from any offset, and goes when it is disposed of", async () => {
  const tar = tarOf({ file: "content ".repeat(10_000) });
  const { diffId } = await fixture.layers.unpack(stream(tar));
  const directory = join(fixture.root, "out");
  const uploads = new Uploads(fixture.layers, directory, { uploads: 1 });
  {
    await using layer = await uploads.compress(diffId, new AbortController().signal);
    const bytes = await collect(layer.open(0));
    expect(digestOf(bytes)).toBe(layer.digest);
    expect(bytes.length).toBe(layer.size);
    expect([...bytes.subarray(4, 8)]).toEqual([0, 0, 0, 0]);
    expect(digestOf(Bun.gunzipSync(new Uint8Array(bytes)))).toBe(diffId);
    expect(await collect(layer.open(layer.size - 3))).toEqual(Buffer.from(bytes.subarray(-3)));
  }
  expect(readdirSync(directory)).toEqual([]);
});
