import { expect, test } from "bun:test";
import {
  familiarName,
  familiarString,
  formatReference,
  parseAnyReference,
  parseReference,
  withDefaultTag,
  withDigest,
  withTag,
} from "./reference.ts";

const hex = "1".repeat(64);

test.each([
  ["debian", "docker.io/library/debian", "debian"],
  ["debian:12", "docker.io/library/debian:12", "debian:12"],
  ["library/debian", "docker.io/library/debian", "debian"],
  ["docker.io/debian", "docker.io/library/debian", "debian"],
  ["index.docker.io/library/debian:x", "docker.io/library/debian:x", "debian:x"],
  ["user/repo", "docker.io/user/repo", "user/repo"],
  ["library/a/b", "docker.io/library/a/b", "library/a/b"],
  ["localhost/x", "localhost/x", "localhost/x"],
  ["localhost:5000/x:1", "localhost:5000/x:1", "localhost:5000/x:1"],
  ["[::1]:5000/x", "[::1]:5000/x", "[::1]:5000/x"],
  ["Foo/bar", "Foo/bar", "Foo/bar"],
  ["a__b-c/e.f---g", "docker.io/a__b-c/e.f---g", "a__b-c/e.f---g"],
  [`x@sha256:${hex}`, `docker.io/library/x@sha256:${hex}`, `x@sha256:${hex}`],
  [`x:1@sha256:${hex}`, `docker.io/library/x:1@sha256:${hex}`, `x:1@sha256:${hex}`],
])("%s is %s", (text, normalised, familiar) => {
  const reference = parseReference(text);
  expect(formatReference(reference)).toBe(normalised);
  expect(familiarString(reference)).toBe(familiar);
  expect(formatReference(parseReference(normalised))).toBe(normalised);
});

test.each([
  ["", "invalid reference format"],
  ["x:", "invalid reference format"],
  ["x y", "invalid reference format"],
  ["-x", "invalid reference format"],
  ["a..b", "invalid reference format"],
  ["a___b", "invalid reference format"],
  ["x:-", "invalid reference format"],
  [`x:${"t".repeat(129)}`, "invalid reference format"],
  ["a//b", "invalid reference format"],
  ["Foo", "invalid reference format: repository name (library/Foo) must be lowercase"],
  ["library/Foo", "invalid reference format: repository name (library/Foo) must be lowercase"],
  ["localhost:5000/Foo:A", "invalid reference format: repository name (Foo) must be lowercase"],
  [hex, `invalid repository name (${hex}), cannot specify 64-byte hexadecimal strings`],
  [`x@sha256:${"1".repeat(63)}`, "invalid checksum digest length"],
  [`x@md5:${"1".repeat(32)}`, "unsupported digest algorithm"],
  ["a".repeat(256), "repository name must not be more than 255 characters"],
])("%s is refused", (text, message) => {
  expect(() => parseReference(text)).toThrow(message);
});

test("a whole id is told from a name", () => {
  expect(parseAnyReference(hex)).toEqual({ id: `sha256:${hex}` });
  expect(parseAnyReference(`sha256:${hex}`)).toEqual({ id: `sha256:${hex}` });
  expect(parseAnyReference("sha256:abc")).toEqual({
    reference: { domain: "docker.io", path: "library/sha256", tag: "abc" },
  });
});

test("tags and digests are set", () => {
  const reference = parseReference("debian");
  expect(familiarString(withDefaultTag(reference))).toBe("debian:latest");
  expect(familiarString(withDefaultTag(parseReference("debian:1")))).toBe("debian:1");
  expect(familiarString(withTag(reference, "x"))).toBe("debian:x");
  expect(() => withTag(reference, "a b")).toThrow("invalid tag format");
  expect(familiarString(withDigest(parseReference("debian:1"), `sha256:${hex}`))).toBe(`debian@sha256:${hex}`);
  expect(familiarName(parseReference("localhost/a:1"))).toBe("localhost/a");
});
