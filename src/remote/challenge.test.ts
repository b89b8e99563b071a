import { expect, test } from "bun:test";
import { parseChallenges } from "./challenge.ts";

test("several challenges in one header, quoted and not", () => {
  const header = 'Bearer realm="https://auth.example/token",service="a \\"b\\"",scope=x, Basic realm="Registry Realm"';
  expect(parseChallenges(header)).toEqual([
    { scheme: "bearer", parameters: { realm: "https://auth.example/token", service: 'a "b"', scope: "x" } },
    { scheme: "basic", parameters: { realm: "Registry Realm" } },
  ]);
  expect(parseChallenges("Negotiate")).toEqual([{ scheme: "negotiate", parameters: {} }]);
});

test("nonsense ends quietly", () => {
  for (const header of [null, "", ",,", "=x", '"', 'Basic realm="open', "a=b"]) parseChallenges(header);
});
