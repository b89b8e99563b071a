import { expect, test } from "bun:test";
import { parseMountOptions } from "./mount-options.ts";

test("flags are told from what is the file system's own; of opposites the last counts", () => {
  expect(parseMountOptions("bind")).toEqual({ flags: 0x1000, data: "" });
  expect(parseMountOptions("rbind,ro,rslave")).toEqual({ flags: 0x1000 | 0x4000 | 1 | (1 << 19), data: "" });
  expect(parseMountOptions("ro,nosuid,rw,size=1m,,mode=700")).toEqual({ flags: 2, data: "size=1m,mode=700" });
  expect(parseMountOptions("")).toEqual({ flags: 0, data: "" });
});
