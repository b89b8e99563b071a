/** The contract and the registry itself against s3rver, an S3-compatible server from npm. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { digestOf } from "../../oci/digest.ts";
import { testRegistry } from "../testing.ts";
import { storageDriverSuite } from "./driver.suite.ts";
import { S3Driver, type S3Settings } from "./s3.ts";
import { type S3Server, startS3 } from "./s3-server.ts";

let server: S3Server;
let settings: S3Settings;

beforeAll(async () => {
  server = await startS3();
  settings = server.settings("p/");
}, 30_000);
afterAll(() => server[Symbol.asyncDispose]());

storageDriverSuite("S3", async () => new S3Driver(settings));

test("a blob of many pieces is one object, and its pieces are gone", async () => {
  const driver = new S3Driver(settings);
  const chunk = crypto.getRandomValues(new Uint8Array(64 << 10));
  const count = 17 * 16 + 1;
  const writer = await driver.upload("many", true);
  for (let at = 0; at < count; at++) await writer?.write(chunk);
  await writer?.close();
  await driver.commit("many", "sha256/aa/aa");
  expect(await driver.stat("sha256/aa/aa")).toBe(count * chunk.length);
  const body = new Response(await driver.body("sha256/aa/aa", (count - 1) * chunk.length, count * chunk.length));
  expect(new Uint8Array(await body.arrayBuffer())).toEqual(chunk);
  expect(await Array.fromAsync(driver.listUploads())).toEqual([]);
  await driver.remove("sha256/aa/aa");
}, 20_000);

test("probe fails when the bucket is not there", async () => {
  const driver = new S3Driver({ ...settings, bucket: "nowhere" });
  expect(driver.probe()).rejects.toThrow();
});

test("lists more than one page", async () => {
  const driver = new S3Driver({ ...settings, prefix: "pages/" });
  const client = new Bun.S3Client({
    ...{ endpoint: settings.endpoint, bucket: "images", accessKeyId: "S3RVER", secretAccessKey: "S3RVER" },
  });
  for (let at = 0; at < 1010; at += 101) {
    await Promise.all(Array.from({ length: 101 }, (_, more) => client.write(`pages/blobs/${at + more}`, "")));
  }
  expect((await Array.fromAsync(driver.list())).length).toBe(1010);
}, 20_000);

test("the registry on a bucket: push, pull, range, collection", async () => {
  const config = { ...server.config("r/"), "gc.lease": 0.2 };
  await using r = await testRegistry(config);
  const manifest = await r.pushImage("x", "t", "layer in a bucket");
  const blob = `x/blobs/${digestOf("layer in a bucket")}`;
  expect(await (await r.request("GET", blob)).text()).toBe("layer in a bucket");
  expect(await (await r.request("GET", blob, null, { range: "bytes=6-7" })).text()).toBe("in");
  await r.request("DELETE", `x/manifests/${manifest}`);
  await Bun.sleep(320);
  expect(await r.registry.collect()).toMatchObject({ links: 2, blobs: 2 });
  expect((await r.request("GET", blob)).status).toBe(404);
});

test("a service that fails for a moment is asked again", async () => {
  let failures = 3;
  const flaky = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => {
      if (request.method === "DELETE" && failures-- > 0) {
        const error = "<Error><Code>InternalError</Code><Message>Please try again.</Message></Error>";
        return new Response(error, { status: 500, headers: { "content-type": "application/xml" } });
      }
      return new Response(null, { status: 204 });
    },
  });
  const driver = new S3Driver({ ...settings, endpoint: `http://127.0.0.1:${flaky.port}` });
  await driver.remove("sha256/aa/aa");
  expect(failures).toBe(-1);
  await flaky.stop(true);
});

test("s3.redirect: clients fetch blobs from the bucket, small and in part, and only blobs", async () => {
  await using r = await testRegistry({ ...server.config("redirect/"), "s3.redirect": true });
  await r.pushImage("x", "t", "layer in a bucket");
  const blob = `x/blobs/${digestOf("layer in a bucket")}`;
  const sent = await r.request("GET", blob);
  expect(sent.status).toBe(307);
  const location = sent.headers.get("location") ?? "";
  expect(await (await fetch(location)).text()).toBe("layer in a bucket");
  expect(await (await fetch(location, { headers: { range: "bytes=6-7" } })).text()).toBe("in");
  expect((await r.request("HEAD", blob)).headers.get("content-length")).toBe("17");
  expect((await r.request("GET", "x/manifests/t")).status).toBe(200);
});
