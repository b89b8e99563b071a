import { expect, test } from "bun:test";
import type { Digest } from "../../oci/digest.ts";
import { fullProvenance, parseAttestations } from "./options.ts";
import { imageUrl } from "./package-url.ts";
import { type BuildOrigin, predicate } from "./predicate.ts";

const digest: Digest = `sha256:${"a".repeat(64)}`;
const platform = { os: "linux", architecture: "arm64" };
const origin: BuildOrigin = {
  frontend: "dockerfile.v0",
  options: {
    context: "https://user:secret@example.org/app.git",
    filename: "Dockerfile",
    "build-arg:A": "1",
    target: "x",
    platform: "linux/arm64",
    "vcs:revision": "abc",
  },
  images: [{ name: "busybox", platform, digest }],
  secrets: [{ id: "s" }],
  ssh: [],
  locals: [],
  incomplete: true,
  network: true,
  dockerfile: { filename: "Dockerfile", text: "FROM busybox" },
};
const times = { id: "b", started: { seconds: 1, nanos: 500_000_000 }, finished: { seconds: 2, nanos: 0 } };

test("the shape of v0.2: options without what is the host's, logins hidden", () => {
  expect(predicate(origin, times, fullProvenance)).toMatchObject({
    materials: [{ uri: "pkg:docker/busybox@latest?platform=linux%2Farm64", digest: { sha256: "a".repeat(64) } }],
    invocation: {
      configSource: { uri: "https://xxxxx:xxxxx@example.org/app.git", entryPoint: "Dockerfile" },
      parameters: { args: { "build-arg:A": "1", target: "x" }, secrets: [{ id: "s" }] },
    },
    metadata: {
      buildStartedOn: "1970-01-01T00:00:01.5Z",
      buildFinishedOn: "1970-01-01T00:00:02Z",
      completeness: { parameters: true, materials: false },
      "https://mobyproject.org/buildkit@v1#metadata": { vcs: { revision: "abc" } },
    },
  });
});

test("mode=min tells no arguments, secrets or sources, and says so", () => {
  const text = JSON.stringify(predicate(origin, times, { ...fullProvenance, mode: "min" }));
  expect(text).not.toMatch(/build-arg|secrets|infos/);
  expect(text).toContain('"parameters":false');
});

test("v1 has the same in other places", () => {
  expect(predicate(origin, times, { ...fullProvenance, version: "v1", builderId: "me" })).toMatchObject({
    buildDefinition: { externalParameters: { request: { frontend: "dockerfile.v0" } }, resolvedDependencies: [{}] },
    runDetails: { builder: { id: "me" }, metadata: { invocationID: "b" } },
  });
});

test("what clients ask for", () => {
  const parse = (value: string) => parseAttestations([["provenance", value]]);
  expect(parse("")).toEqual(fullProvenance);
  expect(parse("mode=min,version=v1")).toMatchObject({ mode: "min", version: "v1" });
  expect(parse("mode=min,inline-only=true")).toBeUndefined();
  expect(parse("disabled=true")).toBeUndefined();
  expect(() => parse("mode=all")).toThrow('invalid mode "all"');
  expect(() => parse("capture-usage=true")).toThrow("capture-usage");
  expect(() => parseAttestations([["sbom", ""]])).toThrow("SBOM");
  expect(() => parseAttestations([["other", ""]])).toThrow("unknown attestation type");
});

test("names of images as package URLs", () => {
  expect(imageUrl("example.org:5000/a/b:1", platform)).toBe(
    "pkg:docker/example.org%3A5000/a/b@1?platform=linux%2Farm64",
  );
  expect(imageUrl(`a@${digest}`, platform)).toContain(`?digest=${digest}&`);
});
