/**
 * Connections that are cut at random places, during pushes and pulls. `REGISTRY_CUTS` says how many cuts of each; `SEED` begins the same row
 * of them again.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Logger } from "../../base/log.ts";
import { digestOf } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/manifest.ts";
import { loadConfig } from "../config/config.ts";
import { serveRegistry } from "../server.ts";
import { imageManifest, type TestRegistry, testRegistry } from "../testing.ts";
import { CuttingProxy } from "./cutting-proxy.ts";

const cuts = Number(process.env["REGISTRY_CUTS"] ?? 100);
let seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000);
const size = 1_500_000;

let r: TestRegistry;
let server: ReturnType<typeof serveRegistry>;
let proxy: CuttingProxy;

beforeAll(async () => {
  console.log(`SEED=${seed}`);
  r = await testRegistry();
  server = serveRegistry(
    r.registry,
    { ...loadConfig([], {}), root: r.root, listen: "127.0.0.1:0" },
    new Logger("error", () => undefined),
  );
  proxy = await CuttingProxy.open({ host: "127.0.0.1", port: Number(new URL(server.url).port) });
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await server.stop();
  await r[Symbol.asyncDispose]();
});

/** 0 to 1. Numerical Recipes' generator: the same seed makes the same cuts. */
function random(): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return seed / 2 ** 32;
}

/** Through the proxy, which may cut it: undefined. Each on a connection of its own. */
async function ask(path: string, init: RequestInit = {}): Promise<Response | undefined> {
  const headers = { connection: "close", ...(init.headers as Record<string, string> | undefined) };
  return fetch(proxy.url + path, { ...init, headers, keepalive: false }).catch(() => undefined);
}

/** On the straight way, what is there of a blob: all of it or nothing. */
async function expectWholeOrNothing(content: Uint8Array): Promise<boolean> {
  const blob = await r.request("GET", `x/blobs/${digestOf(content)}`);
  if (blob.status === 404) return false;
  expect(Buffer.compare(await blob.bytes(), content)).toBe(0);
  return true;
}

/** Where the upload stands; the client does not know, for its connection was cut. */
async function standing(at: string): Promise<number> {
  const status = await r.request("GET", at);
  if (status.status === 404) return -1;
  const end = Number(/^0-(\d+)$/.exec(status.headers.get("range") ?? "")?.[1]);
  return end === 0 ? 0 : end + 1;
}

test("pushes: what arrived stays, the rest follows, and nothing half is ever served", async () => {
  let carried = 0;
  let kept = 0;
  for (let round = 0; proxy.cuts < cuts; round++) {
    const content = crypto.getRandomValues(new Uint8Array(size));
    const digest = digestOf(content);
    const begun = await r.request("POST", "x/blobs/uploads/");
    const at = begun.headers.get("location") ?? "";
    let offset = 0;
    for (let attempt = 0; offset < size; attempt++) {
      const budget = attempt > 4 ? Number.POSITIVE_INFINITY : Math.floor(random() * (size - offset) * 1.1);
      proxy.budget = () => budget;
      const headers = { "content-range": `${offset}-${size - 1}`, "content-type": "application/octet-stream" };
      await ask(at, { method: "PATCH", body: content.subarray(offset), headers });
      expect(await expectWholeOrNothing(content)).toBe(false);
      const now = await standing(at);
      expect(now).toBeGreaterThanOrEqual(offset);
      carried += Math.min(budget, size - offset);
      kept += now - offset;
      offset = now;
    }
    const last = Math.floor(random() * 500);
    proxy.budget = () => last;
    let put = await ask(`${at}?digest=${digest}`, { method: "PUT" });
    proxy.budget = () => undefined;
    // Cut before the answer: the upload may have ended or not. If not, it can.
    if (put === undefined && (await standing(at)) >= 0) put = await ask(`${at}?digest=${digest}`, { method: "PUT" });
    if (put !== undefined) expect(put.status).toBe(201);
    expect(await expectWholeOrNothing(content)).toBe(true);
    if (round > 20 * cuts) throw new Error("too few cuts");
  }
  console.log(`pushes: ${proxy.cuts} cuts; of ${carried} bytes that were carried ${kept} were kept`);
}, 120_000);

test("pulls: a connection that is cut is gone on with by Range, and the whole is right", async () => {
  const content = crypto.getRandomValues(new Uint8Array(size));
  const pushed = await r.request("POST", `x/blobs/uploads/?digest=${digestOf(content)}`, content);
  expect(pushed.status).toBe(201);
  const before = proxy.cuts;
  for (let round = 0; proxy.cuts - before < cuts; round++) {
    const parts: Uint8Array[] = [];
    let offset = 0;
    for (let attempt = 0; offset < size; attempt++) {
      const budget = attempt > 4 ? Number.POSITIVE_INFINITY : Math.floor(random() * (size - offset) * 1.1);
      proxy.budget = () => budget;
      const range = { range: `bytes=${offset}-` };
      const response = await ask(`/v2/x/blobs/${digestOf(content)}`, { headers: range });
      if (!response) continue;
      expect([response.status, response.headers.get("content-range")]).toEqual([
        206,
        `bytes ${offset}-${size - 1}/${size}`,
      ]);
      const reader = response.body?.getReader();
      for (;;) {
        const chunk = await reader?.read().catch(() => undefined);
        if (!chunk?.value) break;
        parts.push(chunk.value);
        offset += chunk.value.length;
      }
    }
    expect(Buffer.compare(Buffer.concat(parts), content)).toBe(0);
    if (round > 20 * cuts) throw new Error("too few cuts");
  }
  console.log(`pulls: ${proxy.cuts - before} cuts`);
}, 120_000);

test("manifests: a tag points at a whole manifest, the old or the new", async () => {
  proxy.budget = () => undefined;
  const layers = ["one", "two"];
  for (const layer of layers) await r.pushImage("m", layer, layer);
  for (let round = 0; round < cuts; round++) {
    const layer = layers[round % 2] as string;
    const budget = Math.floor(random() * 1200);
    proxy.budget = () => budget;
    const headers = { "content-type": mediaTypes.ociManifest };
    const put = await ask("/v2/m/manifests/t", { method: "PUT", body: imageManifest(layer), headers });
    const got = await r.request("GET", "m/manifests/t");
    if (put) expect(await got.text()).toBe(imageManifest(layer));
    else if (got.status !== 404) expect(layers.map((each) => imageManifest(each))).toContain(await got.text());
  }
  expect((await r.request("GET", "/readyz")).status).toBe(200);
}, 60_000);
