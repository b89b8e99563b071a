import { expect, test } from "bun:test";
import { nextRun } from "./schedule.ts";

const at = (text: string) => Date.parse(text);

test("cron's fields and names are in the daemon's time zone, intervals count from the last run", () => {
  const after = at("2026-03-01T10:30:00Z");
  expect(nextRun("0 3 * * *", after)).toBe(at("2026-03-02T03:00:00Z"));
  expect(nextRun("@hourly", after)).toBe(at("2026-03-01T11:00:00Z"));
  expect(nextRun("*/15 10 * * sun", after)).toBe(at("2026-03-01T10:45:00Z"));
  expect(nextRun("@every 1h30m", after)).toBe(at("2026-03-01T12:00:00Z"));
});

test("what is no schedule is refused with a reason", () => {
  for (const [schedule, reason] of [
    ["", "expected 5 space-separated fields"],
    ["0 0 0 * * *", "too many fields"],
    ["0 0 30 2 *", "there is no such day"],
    ["@every soon", "not a duration"],
    ["@every 10ms", "at least one second"],
    ["@every -5m", "at least one second"],
  ]) {
    expect(() => nextRun(schedule as string, 0)).toThrow(reason as string);
  }
});
