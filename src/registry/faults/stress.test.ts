/** `REGISTRY_STRESS_SECONDS` says how long each of these goes on. */
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/manifest.ts";
import { imageManifest, testRegistry } from "../testing.ts";
import { testServices } from "../testing-services.ts";
import { expired, quick, stress, unhurried } from "./stress.ts";

const seconds = Number(process.env["REGISTRY_STRESS_SECONDS"] ?? 4);
const timeout = seconds * 1000 + 30_000;

const services = testServices();

/** Two instances over one database and one bucket. */
async function pair(change: object = {}) {
  const config = { ...(await services.config()), ...change };
  return [await testRegistry(config), await testRegistry(config)] as const;
}

test(
  "one instance: pushes, deletes and collections against each other lose nothing, and the space is freed",
  async () => {
    await using r = await testRegistry(quick);
    const { pushes, checks, freed } = await stress([r], seconds);
    console.log(`one instance, ${seconds} s: ${pushes} pushes, ${checks} checks, ${freed} blobs freed`);
    expect(checks).toBeGreaterThan(seconds * 10);
    expect(freed).toBeGreaterThan(seconds * 2);
    const stored = readdirSync(join(r.root, "blobs"), { recursive: true, withFileTypes: true });
    expect(stored.filter((entry) => entry.isFile()).length).toBeLessThan(40);
  },
  timeout,
);

test(
  "two instances over one database and one bucket: the same",
  async () => {
    const [one, two] = await pair(unhurried);
    await using _one = one;
    await using _two = two;
    const { pushes, checks, freed } = await stress([one, two], seconds, unhurried);
    console.log(`two instances, ${seconds} s: ${pushes} pushes, ${checks} checks, ${freed} blobs freed`);
    expect(checks).toBeGreaterThan(seconds);
    expect(freed).toBeGreaterThan(0);
  },
  timeout,
);

test("two instances serve the same content, and go on with each other's uploads", async () => {
  const [one, two] = await pair({ "gc.lease": 0.2 });
  await using _one = one;
  await using _two = two;
  const digest = await one.pushImage("x", "t", "layer");
  expect(await (await two.request("GET", "x/manifests/t")).text()).toBe(imageManifest("layer"));
  expect(await (await two.request("GET", `x/blobs/${digestOf("layer")}`)).text()).toBe("layer");
  const begun = await one.request("POST", "x/blobs/uploads/");
  const at = begun.headers.get("location") ?? "";
  await one.request("PATCH", at, "first, ");
  const patched = await two.request("PATCH", at, "second, ", { "content-range": "7-14", "content-length": "8" });
  expect(patched.status).toBe(202);
  const whole = "first, second, third";
  expect((await one.request("PUT", `${at}?digest=${digestOf(whole)}`, "third")).status).toBe(201);
  expect(await (await two.request("GET", `x/blobs/${digestOf(whole)}`)).text()).toBe(whole);
  await two.request("DELETE", `x/manifests/${digest}`);
  await expired();
  expect(await two.registry.collect()).toMatchObject({ links: 3, blobs: 3 });
  expect((await one.request("HEAD", `x/blobs/${digestOf("layer")}`)).status).toBe(404);
}, 20_000);

test("a database that ends is 503 for as long as it is gone, and nothing that was acknowledged goes with it", async () => {
  const [one, two] = await pair();
  await using _one = one;
  await using _two = two;
  await one.pushImage("x", "t", "layer");
  const begun = await one.request("POST", "x/blobs/uploads/");
  const at = begun.headers.get("location") ?? "";
  await one.request("PATCH", at, "before, ");
  await services.postgres.crash();
  for (const [r, path] of [
    [one, "x/manifests/t"],
    [two, `x/blobs/${digestOf("layer")}`],
    [two, "/readyz"],
  ] as const) {
    expect((await r.request("GET", path)).status).toBe(503);
  }
  const put = await two.request("PUT", "x/manifests/u", imageManifest("layer"), {
    "content-type": mediaTypes.ociManifest,
  });
  expect(put.status).toBe(503);
  await services.postgres.start();
  for (const r of [one, two])
    expect(await (await r.request("GET", "x/manifests/t")).text()).toBe(imageManifest("layer"));
  expect((await two.request("GET", "x/manifests/u")).status).toBe(404);
  const whole = await two.request("PUT", `${at}?digest=${digestOf("before, after")}`, "after");
  expect(whole.status).toBe(201);
}, 30_000);
