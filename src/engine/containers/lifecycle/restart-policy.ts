/** When a container that ended is started again. Pure; `Lifecycle` acts on the answer. */
import type { RestartPolicy } from "../../../api/container-config.ts";

export interface EndedTask {
  exitCode: number;
  /** Milliseconds that the process ran. */
  ranFor: number;
  /** Restarts so far under this policy. */
  restartCount: number;
  manuallyStopped: boolean;
  /** Milliseconds that the last restart waited; 0 for none. */
  lastDelay: number;
}

const firstDelay = 100;
const longestDelay = 60_000;
/** A process that ran this long is taken to be healthy again: its delay starts over. */
const stableAfter = 10_000;

/** Milliseconds to wait before the restart, or undefined when it stays stopped. Doubles from 100 ms to one minute. */
export function restartDelay(policy: RestartPolicy | undefined, task: EndedTask): number | undefined {
  if (task.manuallyStopped || !wantsRestart(policy, task)) return undefined;
  if (task.ranFor >= stableAfter || task.lastDelay === 0) return firstDelay;
  return Math.min(task.lastDelay * 2, longestDelay);
}

function wantsRestart(policy: RestartPolicy | undefined, { exitCode, restartCount }: EndedTask): boolean {
  switch (policy?.Name) {
    case "always":
    case "unless-stopped":
      return true;
    case "on-failure": {
      const most = policy.MaximumRetryCount ?? 0;
      return exitCode !== 0 && (most === 0 || restartCount < most);
    }
    default:
      return false;
  }
}

/** Whether a container that is found stopped when the daemon starts is started. `always` comes back even after `stop`. */
export function startsWithDaemon(
  policy: RestartPolicy | undefined,
  ended: { exitCode: number; manuallyStopped: boolean; everStarted: boolean },
): boolean {
  if (!ended.everStarted) return false;
  if (policy?.Name === "always") return true;
  if (policy?.Name === "unless-stopped") return !ended.manuallyStopped;
  return policy?.Name === "on-failure" && ended.exitCode !== 0 && !ended.manuallyStopped;
}
