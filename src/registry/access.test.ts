import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseHtpasswd } from "./access.ts";
import { errorCodes, testRegistry } from "./testing.ts";

const directory = mkdtempSync(join(tmpdir(), "gantry-registry-access-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const basic = (text: string) => ({ authorization: `Basic ${btoa(text)}` });

/** Made by `htpasswd -nbB -C 5 alice secret`. */
const alice = "alice:$2y$05$MMTZLZKI8ZRsToBEEUt8AOW147smnFjeAG91buWBh02XjwmOASCAi";

test("htpasswd: right, wrong and missing credentials; a changed file counts at once", async () => {
  const path = join(directory, "users");
  writeFileSync(path, `# users\n${alice}\n`);
  using r = await testRegistry({ "access.htpasswd": path, "access.realm": 'my "realm"' });
  const missing = await r.request("GET", "/v2/");
  expect([missing.status, await errorCodes(missing)]).toEqual([401, ["UNAUTHORIZED"]]);
  expect(missing.headers.get("www-authenticate")).toBe('Basic realm="my realm"');
  for (const wrong of ["alice:wrong", "alice:", "bob:secret", "alice"]) {
    expect((await r.request("GET", "/v2/", null, basic(wrong))).status).toBe(401);
  }
  expect((await r.request("GET", "/v2/", null, { authorization: "Bearer x" })).status).toBe(401);
  for (let time = 0; time < 2; time++) {
    expect((await r.request("GET", "/v2/", null, basic("alice:secret"))).status).toBe(200);
  }
  expect((await r.request("GET", "/metrics")).status).toBe(401);
  expect((await r.request("GET", "/healthz")).status).toBe(200);
  writeFileSync(path, "");
  expect((await r.request("GET", "/v2/", null, basic("alice:secret"))).status).toBe(401);
});

test("lines that are not bcrypt are refused, not ignored", () => {
  expect(() => parseHtpasswd("alice:$apr1$abc$def")).toThrow("htpasswd: line 1 is not user:bcrypt-hash");
  expect(() => parseHtpasswd(`${alice}\nnothing`)).toThrow("line 2");
  expect([...parseHtpasswd(alice).keys()]).toEqual(["alice"]);
});
