/** Registries that make difficulties: tokens that run out, too many requests, mirrors, and answers that lead astray. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { mediaTypes } from "../../../oci/manifest.ts";
import type { Credentials } from "../../../remote/auth.ts";
import { Registries } from "../../../remote/registries.ts";
import { TestImages } from "../testing.ts";
import { FakeRegistry, refuse } from "./fake-registry.ts";

let registry: FakeRegistry;
let fixture: TestImages;

beforeEach(() => {
  registry = new FakeRegistry();
  fixture = new TestImages();
});
afterEach(async () => {
  await registry[Symbol.asyncDispose]();
  fixture[Symbol.dispose]();
});

const pull = (name = "x:1", credentials: Credentials = {}) =>
  fixture.pull(name.includes("/") ? name : `${registry.host}/${name}`, { credentials });

const challenge = (realm: string) => ({ "WWW-Authenticate": `Bearer realm="${realm}",service="s"` });

test.each(["manifests", "blobs"])("of too many requests for %s the registry says how long to wait", async (kind) => {
  registry.addImage("1", ["a"]);
  let refused = 0;
  registry.intercept = (request, path) =>
    request.method === "GET" && path.includes(kind) && refused++ === 0
      ? refuse(kind === "blobs" ? 503 : 429, "TOOMANYREQUESTS", "slow down", { "Retry-After": "1" })
      : undefined;
  await pull();
  expect(refused).toBeGreaterThan(1);
});

test("who asks for more patience than a minute, or for none, is not waited for", async () => {
  registry.addImage("1", ["a"]);
  for (const headers of [{ "Retry-After": "86400" }, {}]) {
    registry.intercept = (_, path) =>
      path.includes("/manifests/") ? refuse(429, "TOOMANYREQUESTS", "pull rate limit", headers) : undefined;
    await expect(pull()).rejects.toThrow("toomanyrequests: pull rate limit");
  }
});

test("a token that runs out in the middle of a layer is renewed, with an identity token instead of a password", async () => {
  registry.addImage("1", ["long".repeat(20_000)]);
  let cuts = 0;
  let issued = 0;
  registry.cut = () => (cuts++ < 3 ? 50 : undefined);
  const forms: string[] = [];
  const issue = async (request: Request) => {
    forms.push(`${request.method} ${await request.text()}`);
    return Response.json({ access_token: `t${++issued}`, expires_in: 3600 });
  };
  registry.intercept = (request, path) => {
    if (path === "/token") return issue(request);
    // Each piece of the layer wants a new one.
    const wanted = `Bearer t${Math.min(issued, cuts + 1)}`;
    if (issued > 0 && request.headers.get("Authorization") === wanted && issued >= cuts + 1) return undefined;
    return refuse(401, "UNAUTHORIZED", "authentication required", challenge(`http://${registry.host}/token`));
  };
  await pull("x:1", { identityToken: "long-lived" });
  expect(issued).toBeGreaterThan(3);
  expect(forms[0]).toStartWith("POST ");
  expect(forms[0]).toContain("grant_type=refresh_token");
  expect(forms[0]).toContain("refresh_token=long-lived");
});

test("a mirror serves what is the hub's, without the user's credentials", async () => {
  registry.addImage("1", ["a"]);
  registry.intercept = (_, path) => {
    const rest = path.replace("/v2/library/x", "/v2/x");
    return rest === path || path === "/v2/" ? undefined : fetch(`http://${registry.host}${rest}`);
  };
  using mirrored = new TestImages({
    registries: new Registries({ mirrors: [`http://${registry.host}`], insecure: [] }),
  });
  await mirrored.pull("x:1", { credentials: { username: "ann", password: "secret" } });
  expect((await mirrored.images.inspect("x:1", {})).RepoDigests[0]).toStartWith("x@sha256:");
  expect(registry.asked.length).toBeGreaterThan(3);
  expect(registry.asked.every(({ authorization }) => authorization === null)).toBe(true);
});

test("an image that is up to date is not asked for again", async () => {
  registry.addImage("1", ["a"]);
  await pull();
  registry.asked.length = 0;
  expect((await pull()).at(-1)).toContain("Image is up to date");
  expect(registry.asked.map(({ method, path }) => `${method} ${path}`)).toEqual(["GET /v2/", "HEAD /v2/x/manifests/1"]);
});

test("nowhere but to web servers", async () => {
  registry.addImage("1", ["a"]);
  const secret = join(fixture.root, "secret");
  writeFileSync(secret, "{}");
  for (const target of [`file://${secret}`, "data:text/plain,{}", "blob:x"]) {
    const scheme = target.split(":")[0];
    registry.intercept = (_, path) =>
      path.includes("/manifests/") ? new Response("", { status: 307, headers: { Location: target } }) : undefined;
    await expect(pull()).rejects.toThrow(`unsupported protocol scheme "${scheme}"`);
    registry.intercept = () => refuse(401, "UNAUTHORIZED", "authentication required", challenge(target));
    await expect(pull()).rejects.toThrow(`unsupported protocol scheme "${scheme}"`);
  }
  await using other = new FakeRegistry();
  registry.intercept = (_, path) =>
    path.includes("/tags/list")
      ? Response.json({ tags: ["1"] }, { headers: { Link: `<http://${other.host}/v2/x/tags/list>; rel="next"` } })
      : undefined;
  await expect(pull("x")).rejects.toThrow(`the list of tags goes on at http://${other.host}`);
  expect(other.asked).toEqual([]);
});

function endless(): Response {
  const chunk = new Uint8Array(1 << 16).fill(32);
  return new Response(new ReadableStream({ pull: (controller) => controller.enqueue(chunk) }), {
    headers: { "Content-Type": mediaTypes.dockerManifest },
  });
}

test("an answer without a body is an empty one", async () => {
  registry.addImage("1", ["a"]);
  const layer = [...registry.blobs.keys()][0] ?? "";
  registry.intercept = (_, path) => (path.endsWith(layer) ? new Response(null, { status: 204 }) : undefined);
  await expect(pull()).rejects.toThrow("unexpected EOF");
});

test("endless answers have an end", async () => {
  registry.addImage("1", ["a"]);
  registry.intercept = (request, path) =>
    path.includes("/manifests/") && request.method === "GET" ? endless() : undefined;
  await expect(pull()).rejects.toThrow("manifest is larger than 4194304 bytes");
  registry.intercept = (_, path) => (path.includes("/tags/list") ? endless() : undefined);
  await expect(pull("x")).rejects.toThrow("larger than");
  registry.intercept = (_, path) =>
    path === "/token" ? endless() : refuse(401, "UNAUTHORIZED", "x", challenge(`http://${registry.host}/token`));
  await expect(pull()).rejects.toThrow("the authorization server's answer is too long");
  registry.intercept = (_, path) => (path.includes("/blobs/") ? endless() : undefined);
  await expect(pull()).rejects.toThrow(/larger than|error pulling image configuration/);
  expect(fixture.images.records()).toEqual([]);
});
