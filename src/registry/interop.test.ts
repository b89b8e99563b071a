/** skopeo, a client of another family (containers/image), against the registry on a socket: images and indexes in both dialects, zstd. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "../oci/digest.ts";
import { mediaTypes } from "../oci/manifest.ts";
import { type TestRegistry, testRegistry } from "./testing.ts";

const directory = mkdtempSync(join(tmpdir(), "gantry-registry-interop-"));
let r: TestRegistry;
let server: ReturnType<typeof Bun.serve>;
let index: string;

/** An image for one architecture, with a layer that is a real (empty) tar archive. */
async function pushImage(name: string, architecture: string) {
  const tar = new Uint8Array(1024);
  const config = JSON.stringify({
    ...{ architecture, os: "linux", config: {}, history: [{ created_by: architecture }] },
    rootfs: { type: "layers", diff_ids: [digestOf(tar)] },
  });
  const layer = Bun.gzipSync(tar);
  for (const content of [config, layer]) {
    const put = await r.request("POST", `${name}/blobs/uploads/?digest=${digestOf(content)}`, content);
    expect(put.status).toBe(201);
  }
  const manifest = JSON.stringify({
    ...{ schemaVersion: 2, mediaType: mediaTypes.ociManifest },
    config: { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: config.length },
    layers: [{ mediaType: mediaTypes.ociLayerGzip, digest: digestOf(layer), size: layer.length }],
  });
  await r.request("PUT", `${name}/manifests/${digestOf(manifest)}`, manifest);
  const platform = { architecture, os: "linux" };
  return { mediaType: mediaTypes.ociManifest, digest: digestOf(manifest), size: manifest.length, platform };
}

beforeAll(async () => {
  r = await testRegistry();
  server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => r.registry.handler(request) });
  const manifests = [await pushImage("multi", "amd64"), await pushImage("multi", "arm64")];
  index = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
  expect((await r.request("PUT", "multi/manifests/latest", index)).status).toBe(201);
});
afterAll(async () => {
  await server.stop(true);
  await r[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const at = (reference: string) => `docker://127.0.0.1:${server.port}/${reference}`;

async function copy(from: string, to: string, ...flags: string[]): Promise<void> {
  const tls = [from, to].map((end, side) =>
    end.startsWith("docker:") ? [`--${side ? "dest" : "src"}-tls-verify=false`] : [],
  );
  const child = Bun.spawn(["skopeo", "--insecure-policy", "copy", "-q", ...tls.flat(), ...flags, from, to], {
    env: { ...process.env, HOME: directory, XDG_DATA_HOME: directory },
    stderr: "pipe",
  });
  expect(await new Response(child.stderr).text()).toBe("");
  expect(await child.exited).toBe(0);
}

const content = async (reference: string) => {
  const response = await r.request("GET", reference.replace(":", "/manifests/"));
  return { type: response.headers.get("content-type"), text: await response.text() };
};

test("an index with all its images goes out to a layout, and comes in again, unchanged", async () => {
  await copy(at("multi:latest"), `oci:${directory}/layout:x`, "--all");
  await copy(`oci:${directory}/layout:x`, at("again/multi:x"), "--all");
  expect(await content("again/multi:x")).toEqual({ type: mediaTypes.ociIndex, text: index });
}, 30_000);

test("Docker's manifest list and manifests", async () => {
  await copy(at("multi:latest"), at("docker:list"), "--all", "--format", "v2s2");
  expect((await content("docker:list")).type).toBe(mediaTypes.dockerIndex);
  await copy(at("multi:latest"), at("docker:one"), "--format", "v2s2");
  expect((await content("docker:one")).type).toBe(mediaTypes.dockerManifest);
}, 30_000);

test("zstd layers", async () => {
  await copy(at("multi:latest"), `dir:${directory}/plain`, "--dest-decompress");
  // A registry of its own: where skopeo remembers the layer compressed by gzip, it does not compress again.
  await using fresh = await testRegistry();
  const other = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => fresh.registry.handler(request) });
  try {
    const image = `docker://127.0.0.1:${other.port}/zstd:1`;
    await copy(`dir:${directory}/plain`, image, "--dest-compress-format", "zstd", "--format", "oci");
    expect(await (await fresh.request("GET", "zstd/manifests/1")).text()).toContain(mediaTypes.ociLayerZstd);
    await copy(image, `dir:${directory}/zstd`);
  } finally {
    await other.stop(true);
  }
}, 30_000);
