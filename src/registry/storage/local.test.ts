import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { storageDriverSuite } from "./driver.suite.ts";
import { LocalDriver } from "./local.ts";

const root = mkdtempSync(join(tmpdir(), "gantry-registry-local-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

storageDriverSuite("local", () => LocalDriver.open(root));

test("probe fails when the directory is gone", async () => {
  const driver = await LocalDriver.open(join(root, "gone"));
  rmSync(join(root, "gone"), { recursive: true });
  expect(driver.probe()).rejects.toThrow("ENOENT");
});
