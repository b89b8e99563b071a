import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { leanEnvironment } from "./lean-crun.ts";

const library = fileURLToPath(new URL("../../build/gantry-no-systemd.so", import.meta.url));
const crun = Bun.which("crun") as string;
const directory = mkdtempSync(join(tmpdir(), "gantry-lean-"));
afterAll(() => rmSync(directory, { recursive: true }));

function make(library: string): void {
  const made = Bun.spawnSync(["make", "-s", "-C", fileURLToPath(new URL("../../shim", import.meta.url)), library]);
  if (made.exitCode !== 0) throw new Error(made.stderr.toString());
}

test("crun runs, and neither libsystemd nor what only that needs is loaded", async () => {
  make("all");
  const environment = await leanEnvironment(crun, library);
  expect(environment).toEqual({ LD_PRELOAD: library });
  const traced = (env: Record<string, string>) =>
    Bun.spawnSync([crun, "--version"], { env: { ...env, LD_TRACE_LOADED_OBJECTS: "1" } }).stdout.toString();
  expect(traced({})).toMatch(/libsystemd[\s\S]*libgcrypt/);
  expect(traced(environment)).not.toMatch(/lib\/.*libsystemd|libgcrypt|liblzma/);
});

test("a crun that asks the library for more than it has, or finds none, is left as it is", async () => {
  const empty = join(directory, "empty.so");
  const built = Bun.spawnSync([
    "cc",
    "-shared",
    "-nostdlib",
    "-Wl,-soname,libsystemd.so.0",
    "-x",
    "c",
    "-o",
    empty,
    "/dev/null",
  ]);
  expect(built.exitCode).toBe(0);
  expect(await leanEnvironment(crun, empty)).toEqual({});
  expect(await leanEnvironment(crun, join(directory, "missing.so"))).toEqual({});
});

test("a runtime without libsystemd needs nothing", async () => {
  const script = join(directory, "runtime");
  writeFileSync(script, "#!/bin/sh\n", { mode: 0o755 });
  expect(await leanEnvironment(script, library)).toEqual({});
});
