import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../oci/digest.ts";
import { blobKey } from "./storage/driver.ts";
import { imageManifest, type TestRegistry, testRegistry } from "./testing.ts";

/** Shorter than the configuration allows. A lease is kept for up to half as long again. */
const quick = { "gc.lease": 0.2, "uploads.lifetime": 0.2 };
const expired = () => Bun.sleep(320);

function storedBlobs(r: TestRegistry): number {
  const entries = readdirSync(join(r.root, "blobs"), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).length;
}

test("blobs without manifest go when their lease is over, and the space with them", async () => {
  using r = await testRegistry(quick);
  const orphan = await r.pushBlob("x", "orphan");
  await r.pushImage("x", "kept", "layer");
  expect(await r.registry.collect()).toEqual({ uploads: 0, manifests: 0, links: 0, blobs: 0, bytes: 0 });
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
  using r = await testRegistry(quick);
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
  using r = await testRegistry(quick);
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
  using r = await testRegistry({ ...quick, "gc.untagged": true });
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

/** Pushes as a client does: a blob that HEAD says exists is not uploaded. */
async function push(r: TestRegistry, name: string, tag: string, layer: string): Promise<boolean> {
  for (const content of [layer, "{}"]) {
    const digest = digestOf(content);
    const known = await r.request("HEAD", `${name}/blobs/${digest}`);
    if (known.status !== 200) await r.pushBlob(name, content);
    await Bun.sleep(Math.random() * 3);
  }
  const manifest = imageManifest(layer);
  const headers = { "content-type": "application/vnd.oci.image.manifest.v1+json" };
  const answer = await r.request("PUT", `${name}/manifests/${tag}`, manifest, headers);
  if (answer.status !== 201) throw new Error(`a promised blob was lost: ${await answer.text()}`);
  return true;
}

async function checkPullable(r: TestRegistry, name: string, tag: string, layer: string): Promise<void> {
  const manifest = await r.request("GET", `${name}/manifests/${tag}`);
  expect(await manifest.text()).toBe(imageManifest(layer));
  for (const content of [layer, "{}"]) {
    const blob = await r.request("GET", `${name}/blobs/${digestOf(content)}`);
    expect([blob.status, await blob.text()]).toEqual([200, content]);
  }
}

test("pushes, deletes and collections against each other: every acknowledged tag is pullable", async () => {
  using r = await testRegistry(quick);
  const until = Date.now() + 4000;
  let pushes = 0;
  let freed = 0;
  // Few layers, shared by all repositories, so that what one deletes another is just being told to exist.
  const pusher = async (at: number) => {
    const name = `stress/${at % 3}`;
    for (let round = 0; Date.now() < until; round++) {
      const layer = `layer ${(at * 7 + round) % 5}`;
      const tag = `t${at}`;
      await push(r, name, tag, layer);
      pushes++;
      await checkPullable(r, name, tag, layer);
      if (round % 2 === 0) await r.request("DELETE", `${name}/manifests/${tag}`);
      if (round % 10 === 9) await Bun.sleep(300);
    }
    await push(r, name, `t${at}`, `layer ${at % 5}`);
  };
  const deleter = async () => {
    while (Date.now() < until) {
      // Manifests of a repository that no pusher checks; their blobs are shared with all.
      for (const layer of [`layer ${pushes % 5}`, `only once ${pushes}`]) {
        await push(r, "victim", "v", layer);
        await r.request("DELETE", `victim/manifests/${digestOf(imageManifest(layer))}`);
      }
      await Bun.sleep(5);
    }
  };
  const collector = async () => {
    while (Date.now() < until) {
      freed += (await r.registry.collect()).blobs;
      await Bun.sleep(5);
    }
  };
  await Promise.all([...Array.from({ length: 6 }, (_, at) => pusher(at)), deleter(), collector()]);
  expect(pushes).toBeGreaterThan(50);
  expect(freed).toBeGreaterThan(10);
  await expired();
  await r.registry.collect();
  for (let at = 0; at < 6; at++) await checkPullable(r, `stress/${at % 3}`, `t${at}`, `layer ${at % 5}`);
  expect(storedBlobs(r)).toBeLessThan(40);
}, 20_000);
