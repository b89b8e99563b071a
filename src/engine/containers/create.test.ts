import { expect, test } from "bun:test";
import { mergeConfig } from "./create.ts";

const image = {
  Entrypoint: ["/entry"],
  Cmd: ["serve"],
  Env: ["PATH=/bin", "A=image"],
  Labels: { a: "image", b: "image" },
  User: "app",
  WorkingDir: "/app",
};

test("what the user does not say comes from the image", () => {
  const merged = mergeConfig({ Image: "x" }, image);
  expect(merged).toMatchObject({ Entrypoint: ["/entry"], Cmd: ["serve"], User: "app", WorkingDir: "/app" });
});

test("a command replaces the image's command, an entrypoint drops it", () => {
  expect(mergeConfig({ Cmd: ["sh"] }, image)).toMatchObject({ Entrypoint: ["/entry"], Cmd: ["sh"] });
  expect(mergeConfig({ Entrypoint: ["/bin/sh"] }, image)).toMatchObject({ Entrypoint: ["/bin/sh"], Cmd: null });
  expect(mergeConfig({ Entrypoint: [""], Cmd: ["sh"] }, image)).toMatchObject({ Entrypoint: null, Cmd: ["sh"] });
});

test("variables and labels merge by name, the user's first", () => {
  const merged = mergeConfig({ Env: ["A=user", "B=user"], Labels: { a: "user" } }, image);
  expect(merged.Env).toEqual(["A=user", "B=user", "PATH=/bin"]);
  expect(merged.Labels).toEqual({ a: "user", b: "image" });
});

test("a health check without a test keeps the image's and overrides its times", () => {
  const checked = { ...image, Healthcheck: { Test: ["CMD", "ok"], Interval: 5, Retries: 2 } };
  expect(mergeConfig({ Healthcheck: { Interval: 9 } }, checked).Healthcheck).toEqual({
    Test: ["CMD", "ok"],
    Interval: 9,
    Retries: 2,
  });
  expect(mergeConfig({ Healthcheck: { Test: ["NONE"] } }, checked).Healthcheck?.Test).toEqual(["NONE"]);
});
