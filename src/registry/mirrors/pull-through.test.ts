/** The cache before a registry of ours, which counts what it is asked for. */
import { expect, test } from "bun:test";
import { digestOf } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/manifest.ts";
import { CuttingProxy } from "../faults/cutting-proxy.ts";
import { imageManifest, type TestRegistry, testRegistry } from "../testing.ts";
import { parseMirrors } from "./upstreams.ts";

interface Origin extends AsyncDisposable {
  readonly registry: TestRegistry;
  readonly asked: string[];
  readonly url: string;
  /** What to answer instead. */
  answer: ((path: string) => Response | undefined) | undefined;
}

async function origin(): Promise<Origin> {
  const registry = await testRegistry();
  const asked: string[] = [];
  const state = { answer: undefined as Origin["answer"] };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => {
      const { pathname } = new URL(request.url);
      asked.push(`${request.method === "GET" ? "" : `${request.method} `}${pathname.replace("/v2/", "")}`);
      return state.answer?.(pathname) ?? registry.registry.handler(request);
    },
  });
  return Object.assign(state, {
    ...{ registry, asked, url: `http://127.0.0.1:${server.port}` },
    [Symbol.asyncDispose]: async () => {
      await server.stop(true);
      await registry[Symbol.asyncDispose]();
    },
  });
}

const mirrors = (url: string, more: object = {}) =>
  parseMirrors([{ prefix: "hub", ns: "docker.io", url, ...more }], "m");

async function pull(r: TestRegistry, name: string, layer: string, query = ""): Promise<void> {
  const manifest = await r.request("GET", `${name}/manifests/t${query}`);
  expect([manifest.status, await manifest.text()]).toEqual([200, imageManifest(layer)]);
  for (const content of [layer, "{}"]) {
    const blob = await r.request("GET", `${name}/blobs/${digestOf(content)}${query}`);
    expect([blob.status, await blob.text()]).toEqual([200, content]);
  }
}

test("fetched once, by prefix, by ns= and by default; then served alone", async () => {
  await using upstream = await origin();
  await upstream.registry.pushImage("library/app", "t", "layer");
  await using cache = await testRegistry({ mirrors: mirrors(upstream.url, { default: true }) });
  await pull(cache, "hub/library/app", "layer");
  const asked = upstream.asked.length;
  expect(asked).toBe(3);
  await pull(cache, "library/app", "layer", "?ns=docker.io");
  await pull(cache, "library/app", "layer");
  const digest = digestOf(imageManifest("layer"));
  expect((await cache.request("HEAD", `hub/library/app/manifests/${digest}`)).status).toBe(200);
  const range = await cache.request("GET", `hub/library/app/blobs/${digestOf("layer")}`, null, { range: "bytes=1-2" });
  expect([range.status, await range.text()]).toEqual([206, "ay"]);
  expect(upstream.asked.length).toBe(asked);
  expect((await cache.request("GET", "hub/library/app/manifests/none")).status).toBe(404);
  expect((await cache.request("GET", `hub/library/app/blobs/${digestOf("none")}`)).status).toBe(404);
  const metrics = await (await cache.request("GET", "/metrics")).text();
  expect(metrics).toContain('mirror_requests_total{outcome="here"} 2\n');
  expect(metrics).toContain('mirror_requests_total{outcome="fetched"} 3\n');
  const push = await cache.request("POST", "hub/library/app/blobs/uploads/");
  expect(push.status).toBe(405);
});

test("whoever asks how large a blob is fetches none", async () => {
  await using upstream = await origin();
  await upstream.registry.pushImage("app", "t", "layer");
  await using cache = await testRegistry({ mirrors: mirrors(upstream.url) });
  const blob = `hub/app/blobs/${digestOf("layer")}`;
  const head = await cache.request("HEAD", blob);
  expect([head.status, head.headers.get("content-length")]).toEqual([200, "5"]);
  expect(upstream.asked).toEqual([`HEAD ${blob.slice("hub/".length)}`]);
  expect((await cache.request("HEAD", `hub/app/blobs/${digestOf("none")}`)).status).toBe(404);
  upstream.answer = () => new Response("", { status: 500 });
  expect((await cache.request("HEAD", blob)).status).toBe(503);
  upstream.answer = undefined;
  expect(await (await cache.request("GET", blob)).text()).toBe("layer");
  expect((await cache.request("HEAD", blob)).headers.get("content-length")).toBe("5");
  expect(upstream.asked.filter((path) => path.startsWith("HEAD"))).toHaveLength(3);
});

test("a manifest that is not what its digest says is not kept, whatever the algorithm", async () => {
  await using upstream = await origin();
  await using cache = await testRegistry({ mirrors: mirrors(upstream.url) });
  for (const algorithm of ["sha256", "sha512"]) {
    const path = `hub/app/manifests/${digestOf(imageManifest("right"), algorithm)}`;
    const send = (layer: string) =>
      new Response(imageManifest(layer), { headers: { "content-type": mediaTypes.ociManifest } });
    upstream.answer = () => send("wrong");
    expect((await cache.request("GET", path)).status).toBe(502);
    upstream.answer = () => send("right");
    expect(await (await cache.request("GET", path)).text()).toBe(imageManifest("right"));
  }
});

test("what is ours goes before the default mirror", async () => {
  await using upstream = await origin();
  await using cache = await testRegistry({ mirrors: mirrors(upstream.url, { default: true }) });
  await cache.pushImage("own/app", "t", "own");
  await pull(cache, "own/app", "own");
  expect(upstream.asked).toEqual([]);
});

test("however many ask at once, each thing is fetched once", async () => {
  await using upstream = await origin();
  const layer = "x".repeat(3_000_000);
  await upstream.registry.pushImage("app", "t", layer);
  await using cache = await testRegistry({ mirrors: mirrors(upstream.url) });
  await Promise.all(Array.from({ length: 8 }, () => pull(cache, "hub/app", layer)));
  expect(upstream.asked.toSorted()).toEqual(
    [`app/blobs/${digestOf(layer)}`, `app/blobs/${digestOf("{}")}`, "app/manifests/t"].toSorted(),
  );
});

test("tags are asked for again when they are old; a failing upstream is made up for", async () => {
  await using upstream = await origin();
  await upstream.registry.pushImage("app", "t", "one");
  await using cache = await testRegistry({ mirrors: mirrors(upstream.url, { ttl: 0 }) });
  await pull(cache, "hub/app", "one");
  const before = upstream.asked.length;
  await pull(cache, "hub/app", "one");
  expect(upstream.asked.slice(before)).toEqual(["HEAD app/manifests/t"]);
  await Promise.all([1, 2, 3].map(() => cache.request("GET", "hub/app/manifests/t")));
  expect(upstream.asked.slice(before)).toEqual(["HEAD app/manifests/t", "HEAD app/manifests/t"]);
  await upstream.registry.pushImage("app", "t", "two");
  await pull(cache, "hub/app", "two");
  expect(upstream.asked.slice(before + 2, before + 4)).toEqual(["HEAD app/manifests/t", "app/manifests/t"]);
  for (const status of [500, 429, 401]) {
    upstream.answer = () => new Response("{}", { status });
    await pull(cache, "hub/app", "two");
    expect(cache.log.some((line) => line.includes("upstream fails: serving what is here"))).toBe(true);
  }
  const failing = await cache.request("GET", "hub/app/manifests/other");
  expect(failing.status).toBe(403);
  upstream.answer = () => new Response("{}", { status: 500 });
  expect((await cache.request("GET", "hub/app/manifests/other")).status).toBe(503);
  upstream.answer = undefined;
});

test.each([429, 503])("an upstream that asks for patience with %d keeps nobody waiting", async (status) => {
  await using upstream = await origin();
  await upstream.registry.pushImage("app", "t", "one");
  await using cache = await testRegistry({ mirrors: mirrors(upstream.url, { ttl: 0 }) });
  await pull(cache, "hub/app", "one");
  upstream.answer = () => new Response("{}", { status, headers: { "retry-after": "50" } });
  await pull(cache, "hub/app", "one");
  expect(cache.log.some((line) => line.includes("upstream fails: serving what is here"))).toBe(true);
  const other = await cache.request("GET", "hub/app/manifests/other");
  expect([other.status, other.headers.get("retry-after")]).toEqual([status, "50"]);
});

test("a tag that is gone upstream is gone here", async () => {
  await using upstream = await origin();
  await upstream.registry.pushImage("app", "t", "one");
  await using cache = await testRegistry({ mirrors: mirrors(upstream.url, { ttl: 0 }) });
  await pull(cache, "hub/app", "one");
  await upstream.registry.request("DELETE", "app/manifests/t");
  expect((await cache.request("GET", "hub/app/manifests/t")).status).toBe(404);
  expect((await cache.request("GET", `hub/app/manifests/${digestOf(imageManifest("one"))}`)).status).toBe(200);
});

test("an upstream that lies is not believed, and nothing of it is kept", async () => {
  await using upstream = await origin();
  await upstream.registry.pushImage("app", "t", "layer");
  await using cache = await testRegistry({ mirrors: mirrors(upstream.url) });
  upstream.answer = (path) => (path.includes("/blobs/") ? new Response("evil!") : undefined);
  await cache.request("GET", "hub/app/manifests/t");
  const blob = `hub/app/blobs/${digestOf("layer")}`;
  expect((await cache.request("GET", blob)).status).toBe(400);
  expect((await cache.request("GET", blob, null, { range: "bytes=0-1" })).status).toBe(400);
  upstream.answer = (path) => (path.includes("/manifests/") ? new Response("{}") : undefined);
  expect((await cache.request("GET", `hub/app/manifests/${digestOf("x")}`)).status).toBeGreaterThanOrEqual(400);
  upstream.answer = undefined;
  expect(await (await cache.request("GET", blob)).text()).toBe("layer");
});

test.each([true, false])("a connection that breaks is gone on with; the upstream knows ranges: %p", async (ranges) => {
  await using upstream = await testRegistry();
  const layer = "0123456789".repeat(300_000);
  await upstream.pushBlob("app", layer);
  const asked: (string | null)[] = [];
  await using server = Bun.serve({
    ...{ port: 0, hostname: "127.0.0.1" },
    fetch: (request) => {
      asked.push(request.headers.get("range"));
      return upstream.registry.handler(ranges ? request : new Request(request.url));
    },
  });
  await using proxy = await CuttingProxy.open({ host: "127.0.0.1", port: server.port as number });
  proxy.budget = () => (proxy.cuts < 2 ? 1_000_000 : undefined);
  await using cache = await testRegistry({ mirrors: mirrors(proxy.url) });
  const got = await cache.request("GET", `hub/app/blobs/${digestOf(layer)}`);
  expect((await got.text()) === layer).toBe(true);
  expect(proxy.cuts).toBeGreaterThanOrEqual(2);
  // Where nothing had arrived before the cut, the next begins at the beginning.
  expect(asked.slice(1).every((range) => range === null || /^bytes=[1-9]\d*-$/.test(range))).toBe(true);
  expect(asked.length).toBeGreaterThan(2);
});

test("a client that goes away does not stop the fetching", async () => {
  await using upstream = await origin();
  const layer = "y".repeat(20_000_000);
  await upstream.registry.pushImage("app", "t", layer);
  await using cache = await testRegistry({ mirrors: mirrors(upstream.url) });
  const blob = `hub/app/blobs/${digestOf(layer)}`;
  const reader = (await cache.request("GET", blob)).body?.getReader();
  await reader?.read();
  await reader?.cancel();
  const whole = await cache.request("GET", blob);
  expect((await whole.text()).length).toBe(layer.length);
  expect(upstream.asked.filter((path) => path.includes("/blobs/"))).toHaveLength(1);
});

test("upstreams with passwords and tokens", async () => {
  const users = `alice:${await Bun.password.hash("secret", { algorithm: "bcrypt", cost: 4 })}\n`;
  const path = `${process.env["TMPDIR"] ?? "/tmp"}/gantry-registry-mirror-${process.pid}`;
  await Bun.write(path, users);
  for (const mode of ["basic", "token"]) {
    await using upstream = await testRegistry({ "access.htpasswd": path, "access.mode": mode, "delete.enabled": true });
    await using open = await testRegistry({}, upstream.root);
    await open.pushImage("app", "t", "layer");
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request) => upstream.registry.handler(request),
    });
    const url = `http://127.0.0.1:${server.port}`;
    await using cache = await testRegistry({
      mirrors: mirrors(url, { username: "alice", password: "secret", ttl: 0 }),
    });
    for (let time = 0; time < 2; time++) await pull(cache, "hub/app", "layer");
    expect(cache.log).toEqual([]);
    await server.stop(true);
  }
  await Bun.file(path).delete();
});

test("what nobody pulled for long is collected", async () => {
  await using upstream = await origin();
  await upstream.registry.pushImage("app", "t", "layer");
  const cached = mirrors(upstream.url).map((mirror) => ({ ...mirror, lifetimeMillis: 50 }));
  await using cache = await testRegistry({ mirrors: cached, "gc.lease": 0.02 });
  await pull(cache, "hub/app", "layer");
  await Bun.sleep(120);
  expect(await cache.registry.collect()).toMatchObject({ tags: 1, manifests: 1, blobs: 2 });
  await pull(cache, "hub/app", "layer");
});

test.each([
  [[{ prefix: "UP", url: "http://x" }], "m[0].prefix: UP is not a repository name"],
  [[{ prefix: "a", url: "x" }], "m[0].url: x is not an http or https URL"],
  [
    [
      { prefix: "a", url: "http://x" },
      { prefix: "a", url: "http://y" },
    ],
    "two mirrors of one prefix",
  ],
  [
    [
      { prefix: "a", url: "http://x", default: true },
      { prefix: "b", url: "http://y", default: true },
    ],
    "two default mirrors",
  ],
])("%p is refused", (value, message) => {
  expect(() => parseMirrors(value, "m")).toThrow(message);
});
