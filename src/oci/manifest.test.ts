import { expect, test } from "bun:test";
import { isIndexType, maxManifestSize, mediaTypes, parseManifest } from "./manifest.ts";

const digest = `sha256:${"a".repeat(64)}`;
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const descriptor = { mediaType: mediaTypes.ociConfig, digest, size: 3 };

test("a manifest and an index are told apart by their fields", () => {
  const manifest = { schemaVersion: 2, config: descriptor, layers: [descriptor] };
  expect(parseManifest(bytes(manifest))).toEqual({ manifest: { ...manifest, schemaVersion: 2 } });
  const platform = { os: "linux", architecture: "amd64" };
  const index = { schemaVersion: 2, manifests: [{ ...descriptor, platform, junk: 1 }], mediaType: mediaTypes.ociIndex };
  expect(parseManifest(bytes(index))).toEqual({
    index: { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [{ ...descriptor, platform }] },
  });
  expect(isIndexType(mediaTypes.dockerIndex)).toBe(true);
});

test.each([
  ["not JSON", new TextEncoder().encode("{"), "manifest is not JSON"],
  ["an array", bytes([]), "manifest must be an object"],
  ["no schema", bytes({}), "unsupported manifest schema version undefined"],
  ["schema 1", bytes({ schemaVersion: 1 }), "unsupported manifest schema version 1"],
  ["no config", bytes({ schemaVersion: 2, layers: [] }), "config must be an object"],
  ["bad digest", bytes({ schemaVersion: 2, config: { ...descriptor, digest: "x" } }), "invalid checksum digest format"],
  [
    "bad size",
    bytes({ schemaVersion: 2, config: { ...descriptor, size: -1 } }),
    "config.size must be a number of bytes",
  ],
  ["too many layers", bytes({ schemaVersion: 2, config: descriptor, layers: Array(1001).fill(descriptor) }), "1000"],
  ["too large", new Uint8Array(maxManifestSize + 1), "manifest is larger than"],
])("%s is refused", (_name, content, message) => {
  expect(() => parseManifest(content)).toThrow(message);
});
