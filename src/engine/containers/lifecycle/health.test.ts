import { expect, test } from "bun:test";
import type { Health } from "../../../api/containers.ts";
import type { Container } from "../container.ts";
import { HealthMonitor, healthSettings, nextHealth, probeCommand } from "./health.ts";

const settings = healthSettings({ Retries: 2 });
const result = (exitCode: number) => ({ Start: "s", End: "e", ExitCode: exitCode, Output: "" });
const starting: Health = { Status: "starting", FailingStreak: 0, Log: [] };

test("failures in a row make it unhealthy, one success makes it healthy again", () => {
  const once = nextHealth(starting, result(1), settings, false);
  expect([once.Status, once.FailingStreak]).toEqual(["starting", 1]);
  const twice = nextHealth(once, result(1), settings, false);
  expect([twice.Status, twice.FailingStreak]).toEqual(["unhealthy", 2]);
  expect(nextHealth(twice, result(0), settings, false)).toMatchObject({ Status: "healthy", FailingStreak: 0 });
});

test("failures in the start period do not count, but are kept to be seen", () => {
  const health = nextHealth(starting, result(1), settings, true);
  expect([health.Status, health.FailingStreak, health.Log?.length]).toEqual(["starting", 0, 1]);
});

test("only the last five results are kept", () => {
  let health = starting;
  for (let round = 0; round < 9; round++) health = nextHealth(health, result(round), settings, false);
  expect(health.Log?.map(({ ExitCode }) => ExitCode)).toEqual([4, 5, 6, 7, 8]);
});

test("the kinds of check", () => {
  expect(probeCommand({ Test: ["CMD", "a", "b"] })).toEqual(["a", "b"]);
  expect(probeCommand({ Test: ["CMD-SHELL", "a b"] })).toEqual(["/bin/sh", "-c", "a b"]);
  expect(probeCommand({ Test: ["CMD-SHELL", "a b"] }, ["/bin/bash", "-c"])).toEqual(["/bin/bash", "-c", "a b"]);
  expect(probeCommand({ Test: ["NONE"] })).toBeUndefined();
  expect(probeCommand(undefined)).toBeUndefined();
});

test("unset durations are Docker's defaults", () => {
  expect(healthSettings({ Interval: 2e9 })).toEqual({
    interval: 2000,
    timeout: 30_000,
    startPeriod: 0,
    startInterval: 5000,
    retries: 3,
  });
});

test("who is no longer watched is unhealthy", () => {
  const monitor = new HealthMonitor(() => Promise.reject(new Error("never called")), { publish: () => undefined });
  const container = { record: { config: { Healthcheck: { Test: ["CMD", "true"] } } } } as unknown as Container;
  monitor.begin(container);
  expect(container.health?.Status).toBe("starting");
  monitor.end(container);
  expect(container.health).toEqual({ Status: "unhealthy", FailingStreak: 0, Log: [] });
});

test("without a check there is no health", () => {
  const monitor = new HealthMonitor(() => Promise.reject(new Error("never called")), { publish: () => undefined });
  const container = { record: { config: {} } } as unknown as Container;
  monitor.begin(container);
  monitor.end(container);
  expect(container.health).toBeUndefined();
});
