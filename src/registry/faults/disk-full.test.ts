/** On a file system of two megabytes. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "../../oci/digest.ts";
import { errorCodes, testRegistry } from "../testing.ts";

test("a full disk is 503; what is stored stays, and pushes work again when there is room", async () => {
  const root = mkdtempSync(join(tmpdir(), "gantry-registry-full-"));
  expect(Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=2m", "gantry-registry-full", root]).exitCode).toBe(0);
  try {
    await using r = await testRegistry({ "gc.lease": 0.05, "uploads.lifetime": 0 }, root);
    await r.pushImage("x", "t", "kept");
    const large = "x".repeat(3 << 20);
    const answer = await r.request("POST", `x/blobs/uploads/?digest=${digestOf(large)}`, large);
    expect([answer.status, await errorCodes(answer)]).toEqual([503, ["UNAVAILABLE"]]);
    expect((await r.request("GET", "/readyz")).status).toBe(503);
    expect((await r.request("HEAD", `x/blobs/${digestOf(large)}`)).status).toBe(404);
    expect(await (await r.request("GET", `x/blobs/${digestOf("kept")}`)).text()).toBe("kept");
    await Bun.sleep(20);
    expect((await r.registry.collect()).uploads).toBe(1);
    await r.pushImage("x", "t2", "room again");
    expect((await r.request("GET", "/readyz")).status).toBe(200);
  } finally {
    Bun.spawnSync(["umount", root]);
    rmSync(root, { recursive: true, force: true });
  }
});
