import { expect, test } from "bun:test";
import { automaticArgs } from "../dockerfile/known-args.ts";
import { BuildArgs } from "./build-args.ts";

test("an argument is seen where it is declared, and what the client gives wins", () => {
  const global = BuildArgs.global({ A: "given", NONE: null }, {});
  global.declare("A", "default");
  global.declare("B", "before FROM");
  const stage = global.stage();
  expect(stage.get("A")).toBeUndefined();
  stage.declare("A", undefined);
  stage.declare("B", undefined);
  stage.declare("C", "own");
  expect(["A", "B", "C", "D"].map((name) => stage.get(name))).toEqual(["given", "before FROM", "own", undefined]);
  expect(stage.environment(new Set(["C"]))).toEqual({ A: "given", B: "before FROM" });
  expect(global.stage().get("C")).toBeUndefined();
});

test("proxies need no ARG, and are no part of the history unless they have one", () => {
  const stage = BuildArgs.global({ HTTP_PROXY: "p", X: "1" }, {}).stage();
  expect(stage.environment(new Set())).toEqual({ HTTP_PROXY: "p" });
  expect(stage.isTransparent("HTTP_PROXY")).toBe(true);
  stage.declare("HTTP_PROXY", undefined);
  expect(stage.isTransparent("HTTP_PROXY")).toBe(false);
  expect(stage.unused()).toEqual(["X"]);
});

test("platforms are there for FROM lines, and in a stage on demand", () => {
  const platform = { os: "linux", architecture: "arm", variant: "v7" };
  const global = BuildArgs.global({}, automaticArgs(platform));
  expect(global.get("TARGETPLATFORM")).toBe("linux/arm/v7");
  const stage = global.stage();
  expect(stage.environment(new Set())).toEqual({});
  stage.declare("TARGETARCH", undefined);
  expect(stage.environment(new Set())).toEqual({ TARGETARCH: "arm" });
});
