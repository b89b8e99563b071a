import { expect, test } from "bun:test";
import { formatPlatform, hostPlatform, matchesPlatform, parsePlatform } from "./platform.ts";

test.each([
  ["linux/amd64", "linux/amd64"],
  ["linux/x86_64", "linux/amd64"],
  ["linux/arm64/v8", "linux/arm64"],
  ["aarch64", "linux/arm64"],
  ["linux/arm", "linux/arm/v7"],
  ["linux/arm/6", "linux/arm/v6"],
  ["armhf", "linux/arm/v7"],
  ["linux/s390x", "linux/s390x"],
  ["linux", formatPlatform({ ...hostPlatform(), os: "linux" })],
])("%s is %s", (text, expected) => {
  expect(formatPlatform(parsePlatform(text))).toBe(expected);
});

test("what is not a platform is refused in containerd's words", () => {
  expect(() => parsePlatform("a/b/c/d")).toThrow('"a/b/c/d": cannot parse platform specifier: invalid argument');
  expect(() => parsePlatform("bogus")).toThrow('"bogus": unknown operating system or architecture: invalid argument');
  expect(() => parsePlatform("/")).toThrow('"" is an invalid OS component of "/": OSAndVersion specifier');
  expect(() => parsePlatform("linux/a b")).toThrow('"a b" is an invalid component of "linux/a b"');
});

test("a variant counts only where both have one", () => {
  const arm = (variant?: string) => ({ os: "linux", architecture: "arm64", ...(variant ? { variant } : {}) });
  expect(matchesPlatform(arm(), arm("v8"))).toBe(true);
  expect(matchesPlatform(arm("v9"), arm())).toBe(true);
  expect(matchesPlatform(arm("v9"), arm("v9.1"))).toBe(false);
  expect(matchesPlatform(arm(), { os: "linux", architecture: "amd64" })).toBe(false);
});
