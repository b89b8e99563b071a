import { expect, test } from "bun:test";
import { applyProxies, maskPassword, shownProxies } from "./proxies.ts";

test("configured proxies replace the environment's, which is said without passwords", () => {
  const env: Record<string, string | undefined> = { HTTP_PROXY: "http://me:secret@old", no_proxy: "a" };
  const said: unknown[] = [];
  applyProxies({ http: "http://me:secret@new", https: undefined, no: "b" }, env, {
    warn: (...words: unknown[]) => void said.push(words),
  });
  expect(env).toEqual({
    HTTP_PROXY: "http://me:secret@new",
    http_proxy: "http://me:secret@new",
    NO_PROXY: "b",
    no_proxy: "b",
  });
  expect(JSON.stringify(said)).toContain("overriding existing proxy variable with value from configuration");
  expect(JSON.stringify(said)).toContain("http://xxxxx:xxxxx@old");
  expect(JSON.stringify(said)).not.toContain("secret");
  expect(said).toHaveLength(2);
  expect(shownProxies(env)).toEqual({ http: "http://xxxxx:xxxxx@new", https: "", no: "b" });
});

test("only what stands before the host is masked", () => {
  expect(maskPassword("http://a:b@c:d@host")).toBe("http://xxxxx:xxxxx@host");
  expect(maskPassword("http://host:3128/a@b")).toBe("http://host:3128/a@b");
  expect(maskPassword("localhost,10.0.0.0/8")).toBe("localhost,10.0.0.0/8");
});
