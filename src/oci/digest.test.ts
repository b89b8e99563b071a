import { expect, test } from "bun:test";
import { chainIdOf, Digester, digestOf, isDigest, isSha256, parseDigest } from "./digest.ts";

const hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

test("digests are checked in go-digest's words", () => {
  expect(parseDigest(`sha256:${hex}`)).toBe(`sha256:${hex}`);
  expect(() => parseDigest(hex)).toThrow("invalid checksum digest format");
  expect(() => parseDigest("sha256:")).toThrow("invalid checksum digest format");
  expect(() => parseDigest(`sha256:${hex.slice(1)}`)).toThrow("invalid checksum digest length");
  expect(() => parseDigest(`sha256:${hex.toUpperCase()}`)).toThrow("invalid checksum digest format");
  expect(() => parseDigest(`md5:${hex}`)).toThrow("unsupported digest algorithm");
  expect(isDigest(`sha512:${hex}${hex}`)).toBe(true);
  expect(isSha256(`sha512:${hex}${hex}`)).toBe(false);
});

test("content in pieces has the digest of the whole", () => {
  const digester = new Digester();
  digester.update(new TextEncoder().encode("ab"));
  digester.update(new TextEncoder().encode("c"));
  expect(digester.digest()).toBe(digestOf("abc"));
});

test("the chainID of one layer is its diffID, of two the digest of both", () => {
  expect(chainIdOf([])).toBe("");
  expect(chainIdOf(["sha256:a"])).toBe("sha256:a");
  expect(chainIdOf(["sha256:a", "sha256:b"])).toBe(digestOf("sha256:a sha256:b"));
});
