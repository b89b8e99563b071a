import { expect, test } from "bun:test";
import { mergeRunConfig } from "./merge-run-config.ts";

test("what is open comes from the base, lists of names are joined", () => {
  const base = {
    User: "u",
    WorkingDir: "/w",
    Env: ["A=1", "B=2"],
    Cmd: ["x"],
    Entrypoint: ["e"],
    Labels: { a: "1", b: "2" },
    ExposedPorts: { "80/tcp": {} },
    Volumes: { "/v": {} },
    StopSignal: "9",
    Healthcheck: { Test: ["CMD", "t"], Interval: 5 },
  };
  expect(mergeRunConfig({}, base)).toEqual(base);
  const own = { Env: ["B=3"], Labels: { b: "3" }, User: "me", Healthcheck: { Test: [], Retries: 2 } };
  expect(mergeRunConfig(own, base)).toEqual({
    ...base,
    User: "me",
    Env: ["B=3", "A=1"],
    Labels: { a: "1", b: "3" },
    Healthcheck: { Test: ["CMD", "t"], Interval: 5, Retries: 2 },
  });
  expect(own).toEqual({ Env: ["B=3"], Labels: { b: "3" }, User: "me", Healthcheck: { Test: [], Retries: 2 } });
});

test("an entrypoint of its own drops the base's command; an empty one stays empty", () => {
  const base = { Cmd: ["x"], Entrypoint: ["e"] };
  expect(mergeRunConfig({ Entrypoint: ["n"] }, base).Cmd).toBeUndefined();
  expect(mergeRunConfig({ Entrypoint: [] }, base)).toMatchObject({ Entrypoint: [], Cmd: ["x"] });
  expect(mergeRunConfig({ Cmd: ["y"] }, base)).toMatchObject({ Entrypoint: ["e"], Cmd: ["y"] });
});
