import { afterEach, beforeEach, expect, test } from "bun:test";
import { mediaTypes } from "../../../oci/manifest.ts";
import { TestImages } from "../testing.ts";
import { FakeRegistry, refuse } from "./fake-registry.ts";
import type { PullOptions } from "./pull.ts";

let registry: FakeRegistry;
let fixture: TestImages;

/** Does not compress away, and the same each time. */
function noise(size: number): string {
  const parts: string[] = [];
  for (let count = 0; count * 64 < size; count++)
    parts.push(new Bun.CryptoHasher("sha256").update(`${count}`).digest("hex"));
  return parts.join("").slice(0, size);
}

beforeEach(() => {
  registry = new FakeRegistry();
  fixture = new TestImages();
});
afterEach(async () => {
  await registry[Symbol.asyncDispose]();
  fixture[Symbol.dispose]();
});

const pull = (name: string, more: Partial<PullOptions> = {}) => fixture.pull(`${registry.host}/${name}`, more);

test("an image of several layers, its messages, and again", async () => {
  const digest = registry.addImage("1", ["a", "b"]);
  const said = await pull("x:1");
  expect(said[0]).toBe("1: Pulling from x");
  expect(said.filter((line) => line.endsWith(": Pull complete"))).toHaveLength(2);
  expect(said.slice(-2)).toEqual([`Digest: ${digest}`, `Status: Downloaded newer image for ${registry.host}/x:1`]);
  const image = await fixture.images.inspect(`${registry.host}/x:1`, {});
  expect(image.RepoDigests).toEqual([`${registry.host}/x@${digest}`]);
  expect(fixture.events.at(-1)).toBe(`pull ${registry.host}/x`);
  expect(await pull("x:1")).toEqual([
    "1: Pulling from x",
    `Digest: ${digest}`,
    `Status: Image is up to date for ${registry.host}/x:1`,
  ]);
  expect((await pull(`x@${digest}`)).at(-1)).toContain("Image is up to date");
  registry.addImage("2", ["a", "c"]);
  expect((await pull("x")).filter((line) => line.endsWith("Already exists"))).toHaveLength(1);
  expect(await fixture.content.ingests()).toEqual([]);
});

test("a connection that is cut again and again goes on where it stopped", async () => {
  registry.addImage("1", [noise(200_000), noise(100_000)]);
  const total = [...registry.blobs.values()].reduce((sum, blob) => sum + blob.length, 0);
  let cuts = 0;
  registry.cut = () => (cuts++ < 8 ? 3_000 + cuts * 2_345 : undefined);
  await pull("x:1");
  expect(cuts).toBeGreaterThan(8);
  // What was sent and lost with a connection may come again; never the whole.
  expect(registry.sent).toBeLessThan(total * 1.5);
  expect(registry.asked.some(({ range }) => /^bytes=[1-9]/.test(range ?? ""))).toBe(true);
}, 20_000);

test("a cancelled pull keeps what it has, and the next one asks for the rest", async () => {
  registry.addImage("1", [noise(200_000)]);
  const stop = new AbortController();
  registry.cut = () => 50_000;
  let seen = 0;
  const failing = pull("x:1", { signal: stop.signal });
  failing.catch(() => {});
  while (seen === 0) {
    await Bun.sleep(5);
    seen = (await fixture.content.ingests())[0]?.offset ?? 0;
  }
  stop.abort();
  await expect(failing).rejects.toThrow("context canceled");
  const kept = (await fixture.content.ingests())[0]?.offset ?? 0;
  expect(kept).toBeGreaterThan(0);
  expect(fixture.images.records()).toEqual([]);
  registry.cut = () => undefined;
  registry.asked.length = 0;
  await pull("x:1");
  expect(registry.asked.find(({ range }) => range !== null)?.range).toBe(`bytes=${kept}-`);
}, 20_000);

test("two pulls of one layer share its download", async () => {
  registry.addImage("1", [noise(100_000)]);
  registry.addImage("2", [noise(100_000)], { author: "another" });
  await Promise.all([pull("x:1"), pull("x:2")]);
  const layer = [...registry.blobs].sort((a, b) => b[1].length - a[1].length)[0]?.[0];
  expect(registry.asked.filter(({ path }) => path.endsWith(`/${layer}`))).toHaveLength(1);
  expect(fixture.images.records()).toHaveLength(2);
});

test("wrong bytes enter nothing and are not taken up again", async () => {
  registry.addImage("1", ["right"]);
  const [layer] = [...registry.blobs.keys()] as [string];
  const right = registry.blobs.get(layer) as Uint8Array;
  registry.blobs.set(layer, new Uint8Array(right.length));
  await expect(pull("x:1")).rejects.toThrow(/filesystem layer verification failed|diffID/);
  expect(fixture.images.records()).toEqual([]);
  expect(fixture.layers.list()).toEqual([]);
  registry.blobs.set(layer, right);
  await pull("x:1");
});

test("wrong manifest, config and layer count", async () => {
  const digest = registry.addImage("1", ["a"]);
  registry.manifests.set(digest, { type: mediaTypes.dockerManifest, bytes: Buffer.from("{}") });
  await expect(pull(`x@${digest}`)).rejects.toThrow(`manifest verification failed for digest ${digest}`);
  registry.addImage("2", ["a"], { rootfs: { type: "layers", diff_ids: [] } });
  await expect(pull("x:2")).rejects.toThrow("layers from manifest don't match image configuration");
  registry.addImage("3", ["b"], { os: "windows" });
  await expect(pull("x:3")).rejects.toThrow('image operating system "windows" cannot be used on this platform');
  registry.addBytes("4", mediaTypes.ociManifest, '{"schemaVersion":2,"config":{');
  await expect(pull("x:4")).rejects.toThrow("manifest is not JSON");
  registry.addBytes("5", "application/vnd.docker.distribution.manifest.v1+prettyjws", "{}");
  await expect(pull("x:5")).rejects.toThrow("schema 1 support has been removed");
});

test("of an index the platform's manifest; the name is the index's digest", async () => {
  const index = registry.addIndex("1", ["amd64", "arm64"]);
  expect(await pull("x:1", { platform: "linux/arm64" })).toContain(`Digest: ${index}`);
  expect((await fixture.images.inspect(`${registry.host}/x:1`, {})).Architecture).toBe("arm64");
  await expect(pull("x:1", { platform: "linux/s390x" })).rejects.toThrow(
    "no matching manifest for linux/s390x in the manifest list entries",
  );
});

test("refusals in dockerd's words", async () => {
  await expect(pull("x:none")).rejects.toThrow(
    `manifest for ${registry.host}/x:none not found: manifest unknown: manifest unknown`,
  );
  const answers: [() => Response, string][] = [
    [
      () => refuse(404, "NAME_UNKNOWN", "repository name not known to registry"),
      `repository ${registry.host}/x not found: name unknown: repository name not known to registry`,
    ],
    [
      () => refuse(403, "DENIED", "requested access to the resource is denied"),
      `pull access denied for ${registry.host}/x, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`,
    ],
    [() => refuse(429, "TOOMANYREQUESTS", "slow down"), "toomanyrequests: slow down"],
    [() => new Response("oops", { status: 500 }), "received unexpected HTTP status: 500 Internal Server Error"],
    [
      () => refuse(401, "UNAUTHORIZED", "authentication required", { "WWW-Authenticate": 'Basic realm="r"' }),
      `Head "http://${registry.host}/v2/x/manifests/1": no basic auth credentials`,
    ],
  ];
  for (const [answer, words] of answers) {
    registry.intercept = (_, path) => (path.includes("/manifests/") ? answer() : undefined);
    await expect(pull("x:1")).rejects.toThrow(words);
  }
});

test("a token for the scope, asked for with the password, and renewed when it is refused", async () => {
  registry.addImage("1", ["a"]);
  let issued = 0;
  registry.intercept = (request, path) => {
    if (path === "/token") {
      const basic = `Basic ${Buffer.from("ann:secret").toString("base64")}`;
      if (request.headers.get("Authorization") !== basic)
        return refuse(401, "UNAUTHORIZED", "incorrect username or password");
      expect(new URL(request.url).searchParams.get("scope")).toBe("repository:x:pull");
      return Response.json({ token: `t${++issued}`, expires_in: 300 });
    }
    const valid = path.includes("/blobs/") ? "Bearer t2" : "Bearer t1";
    if (request.headers.get("Authorization") === valid) return undefined;
    const challenge = `Bearer realm="http://${registry.host}/token",service="s"`;
    return refuse(401, "UNAUTHORIZED", "authentication required", { "WWW-Authenticate": challenge });
  };
  await expect(pull("x:1", { credentials: { username: "ann", password: "no" } })).rejects.toThrow("incorrect username");
  await pull("x:1", { credentials: { username: "ann", password: "secret" } });
  expect(issued).toBe(2);
});

test("credentials do not follow a redirect to another host", async () => {
  registry.addImage("1", ["a"]);
  await using storage = new FakeRegistry();
  for (const [digest, bytes] of registry.blobs) storage.blobs.set(digest, bytes);
  registry.intercept = (request, path) => {
    if (!request.headers.has("Authorization"))
      return new Response("", { status: 401, headers: { "WWW-Authenticate": 'Basic realm="r"' } });
    return path.includes("/blobs/") ? Response.redirect(`http://${storage.host}${path}`, 307) : undefined;
  };
  await pull("x:1", { credentials: { username: "ann", password: "secret" } });
  expect(storage.asked.length).toBeGreaterThan(0);
  expect(storage.asked.every(({ authorization }) => authorization === null)).toBe(true);
});
