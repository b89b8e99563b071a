import { expect, test } from "bun:test";
import type { ImageConfig } from "../oci/image-config.ts";
import { atEpoch, parseEpoch } from "./epoch.ts";

test("seconds since 1970, and nothing else", () => {
  expect(parseEpoch(undefined)).toBeUndefined();
  expect(parseEpoch("")).toBeUndefined();
  expect(parseEpoch("0")).toBe(0);
  expect(parseEpoch("1700000000")).toBe(1_700_000_000);
  for (const text of ["soon", "1.5", "1e9", " 1", "99999999999999"]) {
    expect(() => parseEpoch(text)).toThrow("invalid SOURCE_DATE_EPOCH");
  }
});

test("earlier times of an image's config stay, later ones and missing ones become the epoch", () => {
  const config: ImageConfig = {
    os: "linux",
    architecture: "amd64",
    created: "2026-01-01T00:00:00.5Z",
    history: [{ created: "1999-01-01T00:00:00Z" }, { created: "2026-01-01T00:00:00Z" }, {}],
    rootfs: { type: "layers", diff_ids: [] },
  };
  expect(atEpoch(config, undefined)).toBe(config);
  const dated = atEpoch(config, 1_000_000_000);
  expect(dated.created).toBe("2001-09-09T01:46:40Z");
  expect(dated.history?.map(({ created }) => created)).toEqual([
    "1999-01-01T00:00:00Z",
    "2001-09-09T01:46:40Z",
    "2001-09-09T01:46:40Z",
  ]);
});
