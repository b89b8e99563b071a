import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "../../oci/digest.ts";
import { errorCodes, testRegistry } from "../testing.ts";
import { parseHtpasswd } from "./htpasswd.ts";

const directory = mkdtempSync(join(tmpdir(), "gantry-registry-access-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const basic = (text: string) => ({ authorization: `Basic ${btoa(text)}` });

/** Made by `htpasswd -nbB -C 5 alice secret`. */
const alice = "alice:$2y$05$MMTZLZKI8ZRsToBEEUt8AOW147smnFjeAG91buWBh02XjwmOASCAi";

test("htpasswd: right, wrong and missing credentials; a changed file counts at once", async () => {
  const path = join(directory, "users");
  writeFileSync(path, `# users\n${alice}\n`);
  await using r = await testRegistry({ "access.htpasswd": path, "access.realm": 'my "realm"' });
  const missing = await r.request("GET", "/v2/");
  expect([missing.status, await errorCodes(missing)]).toEqual([401, ["UNAUTHORIZED"]]);
  expect(missing.headers.get("www-authenticate")).toBe('Basic realm="my realm"');
  for (const wrong of ["alice:wrong", "alice:", "bob:secret", "alice"]) {
    const refused = await r.request("GET", "/v2/", null, basic(wrong));
    expect(refused.status).toBe(401);
    // Clients look for these words, whatever is wrong.
    expect(await refused.json()).toMatchObject({ errors: [{ message: "authentication required" }] });
  }
  expect((await r.request("GET", "/v2/", null, { authorization: "Bearer x" })).status).toBe(401);
  for (let time = 0; time < 2; time++) {
    expect((await r.request("GET", "/v2/", null, basic("alice:secret"))).status).toBe(200);
  }
  expect((await r.request("GET", "/metrics")).status).toBe(401);
  expect((await r.request("GET", "/healthz")).status).toBe(200);
  writeFileSync(path, "");
  expect((await r.request("GET", "/v2/", null, basic("alice:secret"))).status).toBe(401);
  writeFileSync(path, "alice:nonsense\n");
  expect((await r.request("GET", "/v2/", null, basic("alice:secret"))).status).toBe(503);
  rmSync(path);
  expect((await r.request("GET", "/v2/", null, basic("alice:secret"))).status).toBe(503);
  writeFileSync(path, `${alice}\n`);
  expect((await r.request("GET", "/v2/", null, basic("alice:secret"))).status).toBe(200);
});

test("lines that are not bcrypt are refused, not ignored", () => {
  expect(() => parseHtpasswd("alice:$apr1$abc$def")).toThrow("htpasswd: line 1 is not user:bcrypt-hash");
  expect(() => parseHtpasswd(`${alice}\nnothing`)).toThrow("line 2");
  expect([...parseHtpasswd(alice).keys()]).toEqual(["alice"]);
});

test("rules: users with their rights, everyone else reads", async () => {
  const path = join(directory, "two");
  writeFileSync(path, `${alice}\n${alice.replace("alice", "bob")}\n`);
  await using r = await testRegistry({
    "access.htpasswd": path,
    "access.rules": [
      { users: ["alice"], repositories: ["**"], actions: ["pull", "push", "delete"] },
      { users: ["*"], repositories: ["team/*"], actions: ["pull"] },
      { users: ["anonymous"], repositories: ["public/**"], actions: ["pull"] },
    ],
  });
  const push = (user: string | undefined, name: string) =>
    r.request("POST", `${name}/blobs/uploads/`, null, user === undefined ? {} : basic(`${user}:secret`));
  expect((await push("alice", "team/x")).status).toBe(202);
  const denied = await push("bob", "team/x");
  expect([denied.status, await errorCodes(denied)]).toEqual([403, ["DENIED"]]);
  expect((await r.request("HEAD", `other/blobs/${digestOf("")}`, null, basic("bob:secret"))).status).toBe(401);
  expect((await push(undefined, "public/x")).status).toBe(401);
  const tags = async (user: string | undefined, name: string) =>
    (await r.request("GET", `${name}/tags/list`, null, user === undefined ? {} : basic(`${user}:secret`))).status;
  expect([await tags("bob", "team/x"), await tags("bob", "team/x/y"), await tags("bob", "public/a/b")]).toEqual([
    404, 403, 404,
  ]);
  expect([await tags(undefined, "public/x"), await tags(undefined, "team/x")]).toEqual([404, 401]);
  expect((await r.request("GET", "/v2/")).status).toBe(401);
  const nobody = { authorization: `Basic ${btoa(":")}` };
  expect((await r.request("GET", "public/x/tags/list", null, nobody)).status).toBe(404);
  expect((await r.request("GET", "team/x/tags/list", null, nobody)).status).toBe(401);
});

test("the catalogue shows what may be pulled from", async () => {
  await using open = await testRegistry();
  for (const name of ["a/x", "public/x", "public/y", "team/x"]) await open.pushImage(name, "t", "layer");
  await using r = await testRegistry(
    { "access.rules": [{ users: ["anonymous"], repositories: ["public/*"], actions: ["pull"] }], "limits.page": 2 },
    open.root,
  );
  const list = await r.request("GET", "_catalog");
  expect(await list.json()).toEqual({ repositories: ["public/x", "public/y"] });
  expect((await r.request("GET", "a/x/manifests/t")).status).toBe(403);
  await using some = await testRegistry(
    { "access.rules": [{ users: ["anonymous"], repositories: ["a/**"], actions: ["pull"] }] },
    open.root,
  );
  expect(await (await some.request("GET", "_catalog")).json()).toEqual({ repositories: ["a/x"] });
});
