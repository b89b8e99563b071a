import { expect, test } from "bun:test";
import { closeSync, readFileSync, writeSync } from "node:fs";
import { sealProgram } from "./sealed-program.ts";

test("a sealed program runs and nobody can change it", async () => {
  const descriptor = sealProgram("/bin/busybox") as number;
  const copy = `/proc/${process.pid}/fd/${descriptor}`;
  expect(readFileSync(copy).equals(readFileSync("/bin/busybox"))).toBe(true);
  expect(() => writeSync(descriptor, "x", 0)).toThrow("EPERM");
  const child = Bun.spawn([copy, "echo", "ran"], { argv0: "busybox", stdout: "pipe" });
  expect(await new Response(child.stdout).text()).toBe("ran\n");
  closeSync(descriptor);
});

test("a program that is not there is an error", () => {
  expect(() => sealProgram("/no/such/program")).toThrow("ENOENT");
});
