/** The token flow as Docker's clients go through it, with the built-in server and with others. */
import { afterAll, expect, test } from "bun:test";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { digestOf } from "../../../oci/digest.ts";
import type { RegistryConfig } from "../../config/config.ts";
import { errorCodes, type TestRegistry, testRegistry } from "../../testing.ts";
import { libtrustId } from "./verifier.ts";

const directory = mkdtempSync(join(tmpdir(), "gantry-registry-token-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const users = join(directory, "users");
/** `alice` and `bob`, both `secret`. */
const hash = "$2y$05$MMTZLZKI8ZRsToBEEUt8AOW147smnFjeAG91buWBh02XjwmOASCAi";
writeFileSync(users, `alice:${hash}\nbob:${hash}\n`);

const rules: RegistryConfig["access.rules"] = [
  { users: ["alice"], repositories: ["**"], actions: ["pull", "push", "delete"] },
  { users: ["bob"], repositories: ["team/*"], actions: ["pull", "push"] },
  { users: ["anonymous"], repositories: ["public/**"], actions: ["pull"] },
];
const settings = { "access.mode": "token", "access.htpasswd": users, "access.rules": rules };

interface TokenAnswer {
  token: string;
  access_token: string;
  refresh_token?: string;
  expires_in: number;
  scope: string;
}

const basic = (user: string) => ({ authorization: `Basic ${btoa(`${user}:secret`)}` });
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function tokenOf(r: TestRegistry, user: string | undefined, ...scopes: string[]): Promise<string> {
  const query = scopes.map((scope) => `&scope=${encodeURIComponent(scope)}`).join("");
  const headers = user === undefined ? {} : basic(user);
  const answer = await r.request("GET", `/token?service=gantry-registry${query}`, null, headers);
  expect(answer.status).toBe(200);
  return ((await answer.json()) as TokenAnswer).token;
}

const claims = (token: string) => JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());

async function pushAs(r: TestRegistry, token: string, name: string): Promise<number> {
  const path = `${name}/blobs/uploads/?digest=${digestOf(name)}`;
  return (await r.request("POST", path, name, bearer(token))).status;
}

test("without a token: where to get one, and for what", async () => {
  await using r = await testRegistry(settings);
  const ping = await r.request("GET", "/v2/");
  expect([ping.status, await errorCodes(ping)]).toEqual([401, ["UNAUTHORIZED"]]);
  expect(ping.headers.get("www-authenticate")).toBe('Bearer realm="http://registry/token",service="gantry-registry"');
  const pull = await r.request("GET", "a/b/manifests/t", null, { "x-forwarded-proto": "https" });
  expect(pull.headers.get("www-authenticate")).toBe(
    'Bearer realm="https://registry/token",service="gantry-registry",scope="repository:a/b:pull"',
  );
  const push = await r.request("POST", "a/b/blobs/uploads/");
  expect(push.headers.get("www-authenticate")).toContain('scope="repository:a/b:pull,push"');
});

test("tokens hold as much of what was asked for as the rules allow", async () => {
  await using r = await testRegistry(settings);
  const token = await tokenOf(r, "bob", "repository:team/x:pull,push,delete", "repository:other/x:pull");
  expect(claims(token)).toMatchObject({
    ...{ iss: "gantry-registry", aud: "gantry-registry", sub: "bob" },
    access: [{ type: "repository", name: "team/x", actions: ["pull", "push"] }],
  });
  expect((await r.request("GET", "/v2/", null, bearer(token))).status).toBe(200);
  expect(await pushAs(r, token, "team/x")).toBe(201);
  const path = `team/x/blobs/${digestOf("team/x")}`;
  expect((await r.request("GET", path, null, bearer(token))).status).toBe(200);
  const refused = await r.request("DELETE", path, null, bearer(token));
  expect(refused.status).toBe(401);
  expect(refused.headers.get("www-authenticate")).toContain(
    'scope="repository:team/x:delete",error="insufficient_scope"',
  );
  expect(await pushAs(r, token, "other/x")).toBe(401);
  const both = await tokenOf(r, "alice", "repository:other/x:pull,push repository:team/x:pull");
  expect(claims(both).access).toHaveLength(2);
});

test("nobody in particular pulls what is public, and mounts nothing else", async () => {
  await using r = await testRegistry(settings);
  const alice = await tokenOf(r, "alice", "repository:public/x:pull,push", "repository:secret/x:pull,push");
  for (const name of ["public/x", "secret/x"]) expect(await pushAs(r, alice, name)).toBe(201);
  const anyone = await tokenOf(r, undefined, "repository:public/x:pull,push", "repository:secret/x:pull");
  expect(claims(anyone).access).toEqual([{ type: "repository", name: "public/x", actions: ["pull"] }]);
  const read = (name: string) => r.request("GET", `${name}/blobs/${digestOf(name)}`, null, bearer(anyone));
  expect([(await read("public/x")).status, (await read("secret/x")).status]).toEqual([200, 401]);
  const bob = await tokenOf(r, "bob", "repository:team/x:pull,push", "repository:secret/x:pull");
  const mount = (query: string) =>
    r.request("POST", `team/x/blobs/uploads/?mount=${digestOf("secret/x")}${query}`, null, bearer(bob));
  for (const query of ["", "&from=secret/x"]) expect((await mount(query)).status).toBe(202);
});

test("the catalogue is for those who may pull everything", async () => {
  await using r = await testRegistry(settings);
  const list = async (user: string) =>
    (await r.request("GET", "_catalog", null, bearer(await tokenOf(r, user, "registry:catalog:*")))).status;
  expect([await list("alice"), await list("bob")]).toEqual([200, 401]);
});

test("docker login: a refresh token instead of the password, until the password changes", async () => {
  const own = join(directory, "own");
  writeFileSync(own, `alice:${hash}\n`);
  await using r = await testRegistry({ ...settings, "access.htpasswd": own });
  const wrong = await r.request("GET", "/token?service=gantry-registry", null, {
    authorization: `Basic ${btoa("alice:no")}`,
  });
  expect(wrong.status).toBe(401);
  const query = "account=alice&client_id=docker&offline_token=true&service=gantry-registry";
  const login = (await (await r.request("GET", `/token?${query}`, null, basic("alice"))).json()) as TokenAnswer;
  const refresh = async (more: Record<string, string> = {}) => {
    const form = new URLSearchParams({
      ...{ grant_type: "refresh_token", service: "gantry-registry", client_id: "docker" },
      ...{ refresh_token: login.refresh_token ?? "", scope: "repository:x:pull,push", ...more },
    });
    return r.request("POST", "/token", form.toString(), { "content-type": "application/x-www-form-urlencoded" });
  };
  const renewed = (await (await refresh()).json()) as TokenAnswer;
  expect([renewed.scope, renewed.expires_in, renewed.refresh_token]).toEqual([
    "repository:x:pull,push",
    300,
    login.refresh_token,
  ]);
  expect(await pushAs(r, renewed.access_token, "x")).toBe(201);
  const password = { grant_type: "password", username: "alice", password: "secret", access_type: "offline" };
  expect(((await (await refresh(password)).json()) as TokenAnswer).refresh_token).toBeString();
  expect((await refresh({ ...password, password: "no" })).status).toBe(401);
  expect((await refresh({ refresh_token: `${login.refresh_token}x` })).status).toBe(401);
  expect((await refresh({ service: "other" })).status).toBe(401);
  expect((await refresh({ grant_type: "magic" })).status).toBe(400);
  expect((await refresh({ client_id: "" })).status).toBe(400);
  expect((await r.request("POST", "/token", "x".repeat(100_000))).status).toBe(400);
  expect((await r.request("PUT", "/token")).status).toBe(405);
  writeFileSync(own, `alice:${await Bun.password.hash("other", { algorithm: "bcrypt", cost: 4 })}\n`);
  expect((await refresh()).status).toBe(401);
});

test.each(["ES256", "RS256"])(
  "%s: keys are published, survive a restart, and make room for new ones",
  async (algorithm) => {
    const change = { ...settings, "access.token.algorithm": algorithm, "access.token.rotate": 0.3 };
    await using r = await testRegistry(change);
    const keys = async (of: TestRegistry) =>
      ((await (await of.request("GET", "/.well-known/jwks.json")).json()) as { keys: Record<string, string>[] }).keys;
    const [first] = (await Promise.all([1, 2, 3].map(() => tokenOf(r, "alice", "repository:x:pull,push")))) as [string];
    expect(await keys(r)).toHaveLength(1);
    const [key] = await keys(r);
    expect(key).toMatchObject({ alg: algorithm, use: "sig" });
    expect(Object.keys(key ?? {})).not.toContain("d");
    await using again = await testRegistry(change, r.root);
    expect(await pushAs(again, first, "x")).toBe(201);
    await Bun.sleep(310);
    const second = await tokenOf(again, "alice", "repository:x:pull,push");
    const kid = (token: string) => JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString()).kid;
    expect(kid(second)).not.toBe(kid(first));
    expect((await keys(again)).map((each) => each["kid"])).toEqual([kid(second), kid(first)]);
    // The first instance has not read the new key yet; the old one still counts.
    expect([await pushAs(r, second, "x"), await pushAs(again, first, "x")]).toEqual([201, 201]);
  },
);

/** A token for pushing to `x`, as a server of another's would sign it. */
function outside(change: Record<string, unknown> = {}) {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({
    ...{ iss: "other", aud: "reg", sub: "carol", exp: now + 300, nbf: now - 5 },
    access: [{ type: "repository", name: "x", actions: ["pull", "push"] }],
    ...change,
  });
}

const foreign = {
  ...{ "access.mode": "token", "access.token.realm": "https://auth.example/token" },
  ...{ "access.token.issuer": "other", "access.token.service": "reg" },
};

test("another's token server by its key set; what is wrong with a token", async () => {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const path = join(directory, "jwks.json");
  writeFileSync(path, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "k", alg: "ES256" }] }));
  await using r = await testRegistry({ ...foreign, "access.token.jwks": path });
  const sign = (change?: Record<string, unknown>, header = {}) =>
    outside(change)
      .setProtectedHeader({ alg: "ES256", kid: "k", ...header })
      .sign(privateKey);
  const ping = await r.request("GET", "/v2/");
  expect(ping.headers.get("www-authenticate")).toBe('Bearer realm="https://auth.example/token",service="reg"');
  expect((await r.request("GET", "/token?service=reg")).status).toBe(401);
  const good = await sign();
  expect(await pushAs(r, good, "x")).toBe(201);
  const stranger = await generateKeyPair("ES256");
  const none = `${btoa('{"alg":"none","kid":"k"}')}.${good.split(".")[1]}.`;
  for (const bad of [
    await sign({ exp: 1 }),
    await sign({ exp: undefined }),
    await sign({ nbf: Math.floor(Date.now() / 1000) + 3600 }),
    await sign({ aud: "another" }),
    await sign({ iss: "another" }),
    await sign({ access: "all" }),
    await sign({}, { kid: "unknown" }),
    await outside().setProtectedHeader({ alg: "ES256", kid: "k" }).sign(stranger.privateKey),
    await outside().setProtectedHeader({ alg: "HS256", kid: "k" }).sign(readFileSync(path)),
    ...[none.replaceAll("=", ""), `${good}x`, "x.y.z", "x", "a".repeat(100_000)],
  ]) {
    const refused = await r.request("GET", "/v2/", null, bearer(bad));
    expect([bad.slice(0, 200), refused.status]).toEqual([bad.slice(0, 200), 401]);
    expect(refused.headers.get("www-authenticate")).toContain('error="invalid_token"');
  }
});

test("a key set at a URL, that is there and that is not", async () => {
  const { privateKey, publicKey } = await generateKeyPair("RS256");
  const keys = [{ ...(await exportJWK(publicKey)), kid: "k", alg: "RS256" }];
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => Response.json({ keys }) });
  const url = `http://127.0.0.1:${server.port}/keys`;
  const token = await outside().setProtectedHeader({ alg: "RS256", kid: "k" }).sign(privateKey);
  await using r = await testRegistry({ ...foreign, "access.token.jwks": url });
  expect(await pushAs(r, token, "x")).toBe(201);
  await server.stop(true);
  await using late = await testRegistry({ ...foreign, "access.token.jwks": url });
  expect(await pushAs(late, token, "x")).toBe(503);
});

test("another's token server by certificates: in the token, or named by it", async () => {
  const openssl = (...argv: string[]) =>
    expect(Bun.spawnSync(["openssl", ...argv], { cwd: directory }).exitCode).toBe(0);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...key, "-subj", "/CN=root", "-days", "2", "-keyout", "root.key", "-out", "root.pem");
  openssl("req", "-x509", ...key, "-subj", "/CN=other", "-days", "2", "-keyout", "stray.key", "-out", "stray.pem");
  openssl("req", ...key, "-subj", "/CN=leaf", "-keyout", "leaf.key", "-out", "leaf.csr");
  openssl("x509", "-req", "-in", "leaf.csr", "-CA", "root.pem", "-CAkey", "root.key", "-days", "2", "-out", "leaf.pem");
  await using r = await testRegistry({ ...foreign, "access.token.rootcertbundle": join(directory, "root.pem") });
  const certificate = (name: string) => new X509Certificate(readFileSync(join(directory, `${name}.pem`)));
  const sign = (name: string, header: object) =>
    outside()
      .setProtectedHeader({ alg: "ES256", ...header })
      .sign(createPrivateKey(readFileSync(join(directory, `${name}.key`))));
  const chain = (...names: string[]) => ({ x5c: names.map((name) => certificate(name).raw.toString("base64")) });
  expect(await pushAs(r, await sign("leaf", chain("leaf")), "x")).toBe(201);
  expect(await pushAs(r, await sign("leaf", chain("leaf", "root")), "x")).toBe(201);
  const kid = libtrustId(certificate("root").publicKey);
  expect(kid).toMatch(/^(?:[A-Z2-7]{4}:){11}[A-Z2-7]{4}$/);
  expect(await pushAs(r, await sign("root", { kid }), "x")).toBe(201);
  expect(await pushAs(r, await sign("stray", chain("stray")), "x")).toBe(401);
  expect(await pushAs(r, await sign("stray", chain("leaf")), "x")).toBe(401);
  expect(await pushAs(r, await sign("stray", chain("stray", "root")), "x")).toBe(401);
  expect(await pushAs(r, await sign("stray", { x5c: ["AAAA"] }), "x")).toBe(401);
});
