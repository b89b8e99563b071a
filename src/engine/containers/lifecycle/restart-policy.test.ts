import { expect, test } from "bun:test";
import { restartDelay, startsWithDaemon } from "./restart-policy.ts";

const ended = { exitCode: 1, ranFor: 5, restartCount: 0, manuallyStopped: false, lastDelay: 0 };

test("no policy, or a stop by the user, means no restart", () => {
  expect(restartDelay(undefined, ended)).toBeUndefined();
  expect(restartDelay({ Name: "no" }, ended)).toBeUndefined();
  expect(restartDelay({ Name: "always" }, { ...ended, manuallyStopped: true })).toBeUndefined();
});

test("on-failure restarts failures only, and at most as often as it says", () => {
  const policy = { Name: "on-failure", MaximumRetryCount: 2 } as const;
  expect(restartDelay(policy, { ...ended, exitCode: 0 })).toBeUndefined();
  expect(restartDelay(policy, { ...ended, restartCount: 1 })).toBe(100);
  expect(restartDelay(policy, { ...ended, restartCount: 2 })).toBeUndefined();
  expect(restartDelay({ Name: "on-failure" }, { ...ended, restartCount: 1000 })).toBe(100);
});

test("the delay doubles up to a minute and starts over after a stable run", () => {
  const delays: (number | undefined)[] = [];
  let lastDelay = 0;
  for (let round = 0; round < 12; round++) {
    lastDelay = restartDelay({ Name: "always" }, { ...ended, lastDelay }) ?? 0;
    delays.push(lastDelay);
  }
  expect(delays.slice(0, 4)).toEqual([100, 200, 400, 800]);
  expect(delays.at(-1)).toBe(60_000);
  expect(restartDelay({ Name: "always" }, { ...ended, lastDelay, ranFor: 10_000 })).toBe(100);
});

test("at daemon start, always comes back even when stopped by hand and unless-stopped does not", () => {
  const stopped = { exitCode: 0, manuallyStopped: true, everStarted: true };
  expect(startsWithDaemon({ Name: "always" }, stopped)).toBe(true);
  expect(startsWithDaemon({ Name: "unless-stopped" }, stopped)).toBe(false);
  expect(startsWithDaemon({ Name: "unless-stopped" }, { ...stopped, manuallyStopped: false })).toBe(true);
  expect(startsWithDaemon({ Name: "always" }, { ...stopped, everStarted: false })).toBe(false);
});
