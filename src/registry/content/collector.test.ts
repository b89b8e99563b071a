import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../oci/digest.ts";
import { expired, quick } from "../faults/stress.ts";
import { blobKey } from "../storage/driver.ts";
import { imageManifest, type TestRegistry, testRegistry } from "../testing.ts";

function storedBlobs(r: TestRegistry): number {
  const entries = readdirSync(join(r.root, "blobs"), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).length;
}

test("blobs without manifest go when their lease is over, and the space with them", async () => {
  await using r = await testRegistry(quick);
  const orphan = await r.pushBlob("x", "orphan");
  await r.pushImage("x", "kept", "layer");
  expect(await r.registry.collect()).toEqual({ uploads: 0, tags: 0, manifests: 0, links: 0, blobs: 0, bytes: 0 });
  await expired();
  expect(await r.registry.collect()).toMatchObject({ links: 1, blobs: 1, bytes: 6 });
  expect((await r.request("HEAD", `x/blobs/${orphan}`)).status).toBe(404);
  expect(await (await r.request("GET", `x/blobs/${digestOf("layer")}`)).text()).toBe("layer");
  expect(storedBlobs(r)).toBe(2);
  await r.request("DELETE", `x/manifests/${digestOf(imageManifest("layer"))}`);
  expect(await r.registry.collect()).toMatchObject({ links: 2, blobs: 2 });
  expect(storedBlobs(r)).toBe(0);
});

test("HEAD and mount renew the lease; a blob goes from one repository and stays in another", async () => {
  await using r = await testRegistry(quick);
  const digest = await r.pushBlob("x", "wanted");
  await expired();
  expect((await r.request("HEAD", `x/blobs/${digest}`)).status).toBe(200);
  expect((await r.registry.collect()).links).toBe(0);
  await expired();
  expect((await r.request("POST", `y/blobs/uploads/?mount=${digest}&from=x`)).status).toBe(201);
  expect(await r.registry.collect()).toMatchObject({ links: 1, blobs: 0 });
  expect((await r.request("HEAD", `x/blobs/${digest}`)).status).toBe(404);
  expect((await r.request("HEAD", `y/blobs/${digest}`)).status).toBe(200);
});

test("uploads that nobody touched go, and bytes that no row knows", async () => {
  await using r = await testRegistry(quick);
  const begun = await r.request("POST", "x/blobs/uploads/");
  const stray = join(r.root, "blobs", blobKey(digestOf("stray")));
  mkdirSync(join(stray, ".."), { recursive: true });
  writeFileSync(stray, "stray");
  utimesSync(stray, 0, 0);
  await expired();
  expect(await r.registry.collect()).toMatchObject({ uploads: 1, blobs: 1, bytes: 5 });
  expect((await r.request("GET", begun.headers.get("location") ?? "")).status).toBe(404);
  expect(readdirSync(join(r.root, "uploads"))).toEqual([]);
});

test("gc.untagged: what no tag, index or subject leads to", async () => {
  await using r = await testRegistry({ ...quick, "gc.untagged": true });
  const old = await r.pushImage("x", "t", "old");
  const current = await r.pushImage("x", "t", "new");
  const child = await r.pushImage("x", "", "child");
  const index = JSON.stringify({ schemaVersion: 2, manifests: [{ digest: child, size: 1 }] });
  await r.request("PUT", "x/manifests/i", index, { "content-type": "application/vnd.oci.image.index.v1+json" });
  const referrer = await r.pushImage("x", "", "sbom", { subject: { digest: current, size: 1 } });
  await expired();
  expect((await r.registry.collect()).manifests).toBe(1);
  expect((await r.request("HEAD", `x/manifests/${old}`)).status).toBe(404);
  for (const kept of [current, child, referrer]) {
    expect((await r.request("HEAD", `x/manifests/${kept}`)).status).toBe(200);
  }
  await r.request("DELETE", "x/manifests/i");
  await r.request("DELETE", "x/manifests/t");
  await expired();
  expect((await r.registry.collect()).manifests).toBe(4);
  await r.registry.collect();
  expect(storedBlobs(r)).toBe(0);
});
