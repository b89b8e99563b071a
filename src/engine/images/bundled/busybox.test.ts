import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { TestImages } from "../testing.ts";
import { isStatic } from "./busybox.ts";

const present = existsSync("/bin/busybox") && isStatic(readFileSync("/bin/busybox"));

test.skipIf(!present)(
  "the bundled image is made once, the same everywhere, and again only when it is missing",
  async () => {
    using one = new TestImages();
    using two = new TestImages();
    const id = await one.images.ensureBundled();
    expect(await one.images.ensureBundled()).toBe(id);
    expect(await two.images.ensureBundled()).toBe(id);
    expect((await one.images.inspect("gantry/busybox", {})).Config).toMatchObject({ Cmd: ["sh"] });
    await one.images.remove("gantry/busybox", { force: false, noPrune: false });
    expect(one.layers.list()).toEqual([]);
    expect(await one.images.ensureBundled()).toBe(id);
  },
);

test("programs with an interpreter are told from static ones", () => {
  expect(isStatic(readFileSync("/bin/ls"))).toBe(false);
  expect(isStatic(Buffer.from("#!/bin/sh\n"))).toBe(false);
});
