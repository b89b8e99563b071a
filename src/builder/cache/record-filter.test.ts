import { expect, test } from "bun:test";
import type { CacheRecord } from "./items.ts";
import { containerdFilter, dockerFilter } from "./record-filter.ts";

const record = (values: Partial<CacheRecord>): CacheRecord => ({
  ID: "abc",
  Parents: null,
  Type: "regular",
  Description: "RUN make all",
  InUse: false,
  Shared: false,
  Size: 0,
  CreatedAt: "",
  LastUsedAt: null,
  UsageCount: 0,
  ...values,
});
const mount = record({
  ID: "def",
  Type: "exec.cachemount",
  Description: "cached, mount",
  InUse: true,
  Parents: ["abc"],
});

test("Docker's filters: all of them must match, values are looked for", () => {
  expect(dockerFilter({})(mount)).toBe(true);
  expect(dockerFilter({ type: ["exec.cachemount"] })(mount)).toBe(true);
  expect(dockerFilter({ type: ["exec.cachemount"] })(record({}))).toBe(false);
  expect(dockerFilter({ description: ["make"], id: ["^ab"] })(record({}))).toBe(true);
  expect(dockerFilter({ description: ["make"], id: ["^bc"] })(record({}))).toBe(false);
  expect(dockerFilter({ inuse: ["true"] })(mount)).toBe(true);
  expect(dockerFilter({ inuse: ["true"] })(record({}))).toBe(false);
  expect(dockerFilter({ shared: [""] })(record({ Shared: true }))).toBe(true);
  expect(dockerFilter({ private: [""] })(record({ Shared: true }))).toBe(false);
  expect(dockerFilter({ parent: ["abc"] })(mount)).toBe(true);
  expect(() => dockerFilter({ id: ["a", "b"] })).toThrow("filters expect only one value");
  expect(() => dockerFilter({ id: ["("] })).toThrow("no regular expression");
});

test("containerd's filters: one of them must match, with all its selectors", () => {
  expect(containerdFilter([])(mount)).toBe(true);
  expect(containerdFilter(["type==regular"])(mount)).toBe(false);
  expect(containerdFilter(["type==regular", "id==def"])(mount)).toBe(true);
  expect(containerdFilter(["type==exec.cachemount,id==abc"])(mount)).toBe(false);
  expect(containerdFilter(['description=="cached, mount",inuse'])(mount)).toBe(true);
  expect(containerdFilter(["type!=regular"])(mount)).toBe(true);
  expect(containerdFilter(["mutable"])(mount)).toBe(true);
  expect(containerdFilter(["id~=^d"])(mount)).toBe(true);
  expect(() => containerdFilter(["colour==red"])).toThrow("unknown field colour");
  expect(() => containerdFilter(["id==="])(mount)).not.toThrow();
  expect(() => containerdFilter(["ID<3"])).toThrow("cannot read the filter");
});
