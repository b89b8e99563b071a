import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RuntimeSpec } from "../oci/runtime-spec.ts";
import { SeccompCache } from "./seccomp-cache.ts";

const crun = { path: "/usr/bin/crun", args: [] };
const specWith = (action: string) =>
  ({ annotations: { mine: "1" }, linux: { seccomp: { defaultAction: action } } }) as unknown as RuntimeSpec;

let state: string;
beforeAll(() => {
  state = mkdtempSync(join(tmpdir(), "gantry-seccomp-"));
  writeFileSync(join(state, "seccomp.bpf"), "program");
});
afterAll(() => rmSync(state, { recursive: true }));

test("a compiled filter comes back for the same profile and no other", () => {
  const cache = new SeccompCache();
  cache.prepare(specWith("A"), crun).learn(state);
  expect(cache.prepare(specWith("A"), crun).spec.annotations).toEqual({
    mine: "1",
    "run.oci.seccomp_bpf_data": Buffer.from("program").toString("base64"),
  });
  expect(cache.prepare(specWith("B"), crun).spec).toEqual(specWith("B"));
});

test("other runtimes and containers without a profile are left alone", () => {
  const cache = new SeccompCache();
  const runc = { path: "/usr/sbin/runc", args: [] };
  cache.prepare(specWith("A"), runc).learn(state);
  expect(cache.prepare(specWith("A"), runc).spec).toEqual(specWith("A"));
  const unconfined = { linux: {} } as unknown as RuntimeSpec;
  cache.prepare(unconfined, crun).learn(state);
  expect(cache.prepare(unconfined, crun).spec).toEqual(unconfined);
});

test("a container that is gone already teaches nothing", () => {
  const cache = new SeccompCache();
  cache.prepare(specWith("A"), crun).learn(join(state, "missing"));
  expect(cache.prepare(specWith("A"), crun).spec).toEqual(specWith("A"));
});
