/** What no honest client sends, over a real socket: each gets a clear refusal, nothing is written outside the root, memory stays bounded. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { selfArgv } from "../../base/self.ts";
import { lines } from "../../base/streams.ts";
import { digestOf } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/manifest.ts";
import { errorCodes, imageManifest } from "../testing.ts";

const directory = mkdtempSync(join(tmpdir(), "gantry-registry-hostile-"));
const root = join(directory, "outer/inner/root");
let child: Bun.Subprocess<"ignore", "ignore", "pipe">;
let url: string;

beforeAll(async () => {
  mkdirSync(root, { recursive: true });
  const flags = ["--root", root, "--listen", "127.0.0.1:0", "--log-access=false", "--limits-blob", "50000000"];
  child = Bun.spawn(selfArgv("registry", "serve", ...flags), { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  for await (const line of lines(child.stderr)) {
    url = /url="([^"]+)"/.exec(line)?.[1] ?? "";
    if (url !== "") break;
  }
  const layer = await fetch(`${url}/v2/x/blobs/uploads/?digest=${digestOf("layer")}`, {
    method: "POST",
    body: "layer",
  });
  const config = await fetch(`${url}/v2/x/blobs/uploads/?digest=${digestOf("{}")}`, { method: "POST", body: "{}" });
  expect([layer.status, config.status]).toEqual([201, 201]);
}, 30_000);

afterAll(async () => {
  expect(child.exitCode).toBeNull();
  expect(readdirSync(directory)).toEqual(["outer"]);
  expect(readdirSync(join(directory, "outer"))).toEqual(["inner"]);
  expect(readdirSync(join(directory, "outer/inner"))).toEqual(["root"]);
  child.kill();
  await child.exited;
  rmSync(directory, { recursive: true, force: true });
});

/** Bytes as they are, for fetch would mend them; the status of the answer, 0 for none. */
function raw(request: string | Uint8Array): Promise<{ status: number; text: string }> {
  const { promise, resolve } = Promise.withResolvers<{ status: number; text: string }>();
  let text = "";
  const finish = () => resolve({ status: Number(/^HTTP\/1\.[01] (\d+)/.exec(text)?.[1] ?? 0), text });
  void Bun.connect({
    ...{ hostname: "127.0.0.1", port: Number(new URL(url).port) },
    socket: {
      open: (socket) => void socket.write(request),
      data: (socket, chunk) => {
        text += chunk.toString("latin1");
        if (text.includes("\r\n\r\n")) socket.end();
      },
      close: finish,
      error: finish,
    },
  }).catch(finish);
  setTimeout(finish, 3000);
  return promise;
}

const get = (path: string, more = "") => raw(`GET ${path} HTTP/1.1\r\nHost: r\r\nConnection: close\r\n${more}\r\n`);
const digest = digestOf("layer");

test.each([
  "/v2/../../../../etc/passwd",
  "/v2/x/blobs/../../../../registry.db",
  "/v2/x/blobs/..%2f..%2f..%2fregistry.db",
  "/v2/x/blobs/%2e%2e/%2e%2e/registry.db",
  "/v2/x/blobs/sha256:../../../registry.db",
  `/v2/x/blobs/sha256:${"../".repeat(20)}${"a".repeat(4)}`,
  "/v2/..%2f..%2fx/manifests/t",
  "/v2/x/manifests/..%2ft",
  "/v2/x/manifests/%00",
  "/v2/%00/manifests/t",
  "/v2/x/manifests/%ff%fe",
  "/v2/x/manifests/%",
  "/v2/é/tags/list",
  "/v2/x%20y/tags/list",
  "/v2/-/tags/list",
  "/v2/x..y/tags/list",
  "/v2//tags/list",
  "/v2/x/blobs/uploads/../../../../lock",
  "/v2/x/blobs/uploads/..%2f..%2flock",
  `/v2/x/blobs/uploads/${"0".repeat(32)}`,
  `/v2/x/blobs/sha256:${"A".repeat(64)}`,
  `/v2/x/blobs/md5:${"a".repeat(32)}`,
  `/v2/x/blobs/sha256:${"a".repeat(63)}`,
  `/v2/${"a/".repeat(5000)}x/tags/list`,
  "/v2/x/tags/list?n=99999999999999999999",
  "/v2/x/tags/list?n=-1",
  "/v2/x/tags/list?n=1e3",
  "/v2/x/tags/list?n=0x10",
  "/v2/x/referrers/latest",
  "http://other/etc/passwd",
  "//etc/passwd",
])("GET %s", async (path) => {
  const { status, text } = await get(path);
  expect([400, 404, 414, 431]).toContain(status);
  expect(text).not.toContain("root:x:0:0");
  expect(text).not.toContain("SQLite format");
});

test.each([
  ["bytes=0-0", 206],
  ["bytes=4-", 206],
  ["bytes=5-", 416],
  ["bytes=-0", 416],
  ["bytes=9999999999999999-", 416],
  ["bytes=1-0", 416],
  ["bytes=--5", 200],
  ["bytes=a-b", 200],
  ["bytes=-", 200],
  ["bytes=", 200],
  ["bytes", 200],
  [`bytes=${Array.from({ length: 1000 }, () => "0-1").join(",")}`, 200],
  ["bytes=0-18446744073709551616", 206],
])("Range: %p", async (range, expected) => {
  expect((await get(`/v2/x/blobs/${digest}`, `Range: ${range}\r\n`)).status).toBe(expected);
});

test.each([
  "GARBAGE\r\n\r\n",
  "GET\r\n\r\n",
  "\0\0\0\0\r\n\r\n",
  `GET /v2/ HTTP/1.1\r\nHost: r\r\nX: ${"a".repeat(100_000)}\r\n\r\n`,
  `GET /v2/ HTTP/1.1\r\n${Array.from({ length: 5000 }, (_, at) => `h${at}: v\r\n`).join("")}\r\n`,
  "POST /v2/x/blobs/uploads/ HTTP/1.1\r\nHost: r\r\nContent-Length: -1\r\n\r\n",
  "POST /v2/x/blobs/uploads/ HTTP/1.1\r\nHost: r\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
  "POST /v2/x/blobs/uploads/ HTTP/1.1\r\nHost: r\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "PATCH /v2/x/blobs/uploads/1 HTTP/1.1\r\nHost: r\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
])("the request %#", async (request) => {
  const { status } = await raw(request);
  expect(status === 0 || (status >= 400 && status < 500)).toBe(true);
});

async function begin(): Promise<string> {
  const begun = await fetch(`${url}/v2/x/blobs/uploads/`, { method: "POST" });
  return url + begun.headers.get("location");
}

test.each(["x", "0-", "-5", "5-0", "0-99999999999999999999", "bytes 0-4/3junk", "0-4, 5-9"])(
  "Content-Range: %s",
  async (range) => {
    const patched = await fetch(await begin(), { method: "PATCH", body: "hello", headers: { "content-range": range } });
    expect(patched.status).toBe(400);
  },
);

test("a body that is shorter than its range and length say is not taken for whole", async () => {
  const at = new URL(await begin());
  const head = `PATCH ${at.pathname} HTTP/1.1\r\nHost: r\r\nContent-Range: 0-99\r\nContent-Length: 100\r\n\r\n`;
  const { promise, resolve } = Promise.withResolvers<void>();
  await Bun.connect({
    ...{ hostname: "127.0.0.1", port: Number(at.port) },
    socket: {
      open: (socket) => {
        socket.write(`${head}hello`);
        socket.end();
      },
      data: () => undefined,
      close: () => resolve(),
    },
  });
  await promise;
  const put = await fetch(`${at}?digest=${digestOf("hello")}`, { method: "PUT" });
  expect([201, 400]).toContain(put.status);
  if (put.status === 201) expect(await (await fetch(`${url}/v2/x/blobs/${digestOf("hello")}`)).text()).toBe("hello");
});

const nest = (depth: number) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
const descriptor = { mediaType: mediaTypes.ociLayer, digest, size: 5 };
test.each<[string, string | Uint8Array<ArrayBuffer>]>([
  ["nothing", ""],
  ["not UTF-8", new Uint8Array([0x7b, 0xff, 0xfe, 0x7d])],
  ["a byte order mark and more", "\ufeff{} {}"],
  ["nested deeply", nest(100_000)],
  ["a prototype", '{"schemaVersion":2,"__proto__":{"layers":[]},"config":null}'],
  ["no config", '{"schemaVersion":2,"layers":[]}'],
  ["layers that are no list", imageManifest("layer", { layers: { 0: descriptor } })],
  ["a layer that is null", imageManifest("layer", { layers: [null] })],
  ["a size below zero", imageManifest("layer", { layers: [{ ...descriptor, size: -1 }] })],
  ["a size that is no number", imageManifest("layer", { layers: [{ ...descriptor, size: "5" }] })],
  ["a size that is too large", imageManifest("layer", { layers: [{ ...descriptor, size: 1e300 }] })],
  ["a digest that is a path", imageManifest("layer", { layers: [{ ...descriptor, digest: "../../../x" }] })],
  ["a digest of no algorithm", imageManifest("layer", { layers: [{ ...descriptor, digest: "sha3:aa" }] })],
  ["too many layers", imageManifest("layer", { layers: Array.from({ length: 2000 }, () => descriptor) })],
  ["annotations that are numbers", imageManifest("layer", { annotations: { a: 1 } })],
  ["a subject that is none", imageManifest("layer", { subject: "x" })],
  ["another media type", imageManifest("layer", { mediaType: "text/html" })],
  ["a schema that is text", imageManifest("layer", { schemaVersion: "2" })],
])("a manifest with %s", async (_, body) => {
  const put = await fetch(`${url}/v2/x/manifests/bad`, {
    ...{ method: "PUT", body },
    headers: { "content-type": mediaTypes.ociManifest },
  });
  expect([put.status, await errorCodes(put)]).toEqual([400, ["MANIFEST_INVALID"]]);
  expect((await fetch(`${url}/v2/x/manifests/bad`)).status).toBe(404);
});

test("an index of forty thousand manifests that are not here is refused, quickly enough to go on", async () => {
  const manifests = Array.from({ length: 40_000 }, (_, at) => ({
    digest: `sha256:${String(at).padStart(64, "0")}`,
    size: 1,
  }));
  const body = JSON.stringify({ schemaVersion: 2, manifests });
  const put = await fetch(`${url}/v2/x/manifests/many`, {
    ...{ method: "PUT", body },
    headers: { "content-type": mediaTypes.ociIndex },
  });
  expect([put.status, await errorCodes(put)]).toEqual([404, ["MANIFEST_BLOB_UNKNOWN"]]);
});

test("blobs and manifests without end are cut off, and memory stays bounded", async () => {
  const rss = async () => Number(/resident_memory_bytes (\d+)/.exec(await (await fetch(`${url}/metrics`)).text())?.[1]);
  const before = await rss();
  const endless = (bytes: number) => {
    let sent = 0;
    const chunk = new Uint8Array(1 << 20);
    return new ReadableStream<Uint8Array>({
      pull: (controller) => {
        sent += chunk.length;
        if (sent > bytes) controller.close();
        else controller.enqueue(chunk);
      },
    });
  };
  const blobs = Array.from({ length: 8 }, async () => {
    const answer = await fetch(await begin(), { method: "PATCH", body: endless(80 << 20) }).catch(() => undefined);
    if (answer) expect([answer.status, await errorCodes(answer)]).toEqual([413, ["SIZE_INVALID"]]);
  });
  const manifests = Array.from({ length: 8 }, async () => {
    const put = { method: "PUT", body: endless(20 << 20) };
    const answer = await fetch(`${url}/v2/x/manifests/endless`, put).catch(() => undefined);
    if (answer) expect([answer.status, await errorCodes(answer)]).toEqual([413, ["MANIFEST_INVALID"]]);
  });
  await Promise.all([...blobs, ...manifests]);
  expect((await rss()) - before).toBeLessThan(300 << 20);
  expect(readdirSync(join(root, "blobs/sha256")).length).toBeLessThan(10);
}, 60_000);

test("a compressed body is bytes like any other", async () => {
  const bomb = Bun.gzipSync(new Uint8Array(10 << 20));
  const put = await fetch(`${url}/v2/x/manifests/bomb`, {
    ...{ method: "PUT", body: bomb },
    headers: { "content-encoding": "gzip", "content-type": mediaTypes.ociManifest },
  });
  expect([put.status, await errorCodes(put)]).toEqual([400, ["MANIFEST_INVALID"]]);
});

test("and it still serves", async () => {
  expect(await (await fetch(`${url}/v2/x/blobs/${digest}`)).text()).toBe("layer");
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
});
