import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { TestImages } from "../testing.ts";
import { isStatic } from "./elf.ts";

const present = existsSync("/bin/busybox") && isStatic(readFileSync("/bin/busybox"));

async function pull({ images }: TestImages, name = "gantry/busybox"): Promise<string> {
  const never = new AbortController().signal;
  await images.pull(name, { tag: "latest", platform: undefined, credentials: {}, signal: never, progress() {} });
  return images.resolve("gantry/busybox").id;
}

test.skipIf(!present)(
  "the bundled image is made once, the same everywhere, and again only when it is missing",
  async () => {
    using one = new TestImages();
    using two = new TestImages();
    expect((await one.images.list({ all: true, digests: false, sharedSize: false, filters: {} })).length).toBe(0);
    const id = await pull(one);
    expect(await pull(one)).toBe(id);
    expect(await pull(two, "docker.io/gantry/busybox")).toBe(id);
    expect((await one.images.inspect("gantry/busybox", {})).Config).toMatchObject({ Cmd: ["sh"] });
    await one.images.remove("gantry/busybox", { force: false, noPrune: false });
    expect(one.layers.list()).toEqual([]);
    expect(await pull(one)).toBe(id);
  },
);

test("programs with an interpreter are told from static ones", () => {
  expect(isStatic(readFileSync("/bin/ls"))).toBe(false);
  expect(isStatic(Buffer.from("#!/bin/sh\n"))).toBe(false);
});
