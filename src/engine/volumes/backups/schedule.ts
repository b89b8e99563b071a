/** When a backup is due: cron's five fields and its names (`@daily`) in the daemon's time zone, or `@every` and a duration in Go's notation. */
import { errorMessage, invalidArgument } from "../../../base/errors.ts";
import { parseGoDuration } from "../../../base/go-duration.ts";

const shortest = 1000;

/**
 * The first time after `after`. Milliseconds since 1970. Throws `invalid-argument` for what is no schedule, or one that never
 * comes.
 */
export function nextRun(schedule: string, after: number): number {
  const every = /^@every\s+(\S+)$/.exec(schedule)?.[1];
  if (every !== undefined) return after + interval(schedule, every);
  let next: Date | null;
  try {
    next = Bun.cron.parse(schedule, after);
  } catch (error) {
    throw invalid(schedule, errorMessage(error).replace(/^Invalid cron expression: /, ""));
  }
  if (next === null) throw invalid(schedule, "there is no such day");
  return next.getTime();
}

function interval(schedule: string, text: string): number {
  const millis = (parseGoDuration(text) ?? Number.NaN) / 1e6;
  if (millis >= shortest) return millis;
  throw invalid(schedule, Number.isNaN(millis) ? "not a duration" : "at least one second");
}

function invalid(schedule: string, reason: string) {
  return invalidArgument(`invalid schedule ${JSON.stringify(schedule)}: ${reason}`);
}
