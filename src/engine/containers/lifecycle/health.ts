/** Health checks: a probe runs in the container at intervals, and failures in a row make it unhealthy. */
import type { HealthConfig } from "../../../api/container-config.ts";
import type { Health, HealthLog } from "../../../api/containers.ts";
import { nowRfc3339Nano } from "../../../base/clock.ts";
import type { Container } from "../container.ts";
import type { ContainerEvents } from "../container-events.ts";

export interface ProbeResult {
  exitCode: number;
  output: string;
}

/** Runs a command in the container; rejects when it cannot start. After `timeout` milliseconds it is killed, exit code -1. */
export type Probe = (container: Container, command: string[], timeout: number) => Promise<ProbeResult>;

export interface HealthSettings {
  /** Milliseconds. */
  interval: number;
  timeout: number;
  startPeriod: number;
  startInterval: number;
  retries: number;
}

const keptResults = 5;
const keptOutput = 4096;
const defaultShell = ["/bin/sh", "-c"];

/** Docker's defaults for what is 0 or missing. */
export function healthSettings(config: HealthConfig): HealthSettings {
  const milliseconds = (nanos: number | undefined, fallback: number) => (nanos ? nanos / 1e6 : fallback);
  return {
    interval: milliseconds(config.Interval, 30_000),
    timeout: milliseconds(config.Timeout, 30_000),
    startPeriod: milliseconds(config.StartPeriod, 0),
    startInterval: milliseconds(config.StartInterval, 5_000),
    retries: config.Retries || 3,
  };
}

/** The probe's command line, or undefined when there is no check (`NONE`, or none given). */
export function probeCommand(config: HealthConfig | null | undefined, shell?: string[] | null): string[] | undefined {
  const [kind, ...rest] = config?.Test ?? [];
  if (kind === "CMD") return rest;
  return kind === "CMD-SHELL" ? [...(shell?.length ? shell : defaultShell), ...rest] : undefined;
}

/** The health after one more result. Pure. During the start period failures do not count. */
export function nextHealth(
  health: Health,
  result: HealthLog,
  settings: HealthSettings,
  inStartPeriod: boolean,
): Health {
  const log = [...(health.Log ?? []), result].slice(-keptResults);
  if (result.ExitCode === 0) return { Status: "healthy", FailingStreak: 0, Log: log };
  if (inStartPeriod && health.Status === "starting") return { ...health, Log: log };
  const streak = health.FailingStreak + 1;
  const status = streak >= settings.retries ? "unhealthy" : health.Status;
  return { Status: status, FailingStreak: streak, Log: log };
}

export class HealthMonitor {
  private readonly timers = new Map<Container, ReturnType<typeof setTimeout>>();
  private readonly probe: Probe;
  private readonly events: Pick<ContainerEvents, "publish">;

  constructor(probe: Probe, events: Pick<ContainerEvents, "publish">) {
    this.probe = probe;
    this.events = events;
  }

  /** Begins to watch a container that has started. Does nothing when it has no check. */
  begin(container: Container): void {
    const { config } = container.record;
    if (!config.Healthcheck || !probeCommand(config.Healthcheck, config.Shell)) {
      container.health = undefined;
      return;
    }
    container.health = { Status: "starting", FailingStreak: 0, Log: [] };
    this.schedule(container, healthSettings(config.Healthcheck), Date.now());
  }

  /** Stops watching. The results stay to be seen, and what is no longer watched counts as unhealthy, as in dockerd. */
  end(container: Container): void {
    clearTimeout(this.timers.get(container));
    if (this.timers.delete(container) && container.health) container.health.Status = "unhealthy";
  }

  private schedule(container: Container, settings: HealthSettings, startedAt: number): void {
    const starting = container.health?.Status === "starting" && Date.now() - startedAt < settings.startPeriod;
    const delay = starting ? settings.startInterval : settings.interval;
    const check = () =>
      this.check(container, settings, startedAt).then(() => {
        if (this.timers.has(container)) this.schedule(container, settings, startedAt);
      });
    this.timers.set(container, setTimeout(check, delay));
  }

  private async check(container: Container, settings: HealthSettings, startedAt: number): Promise<void> {
    if (container.isPaused) return;
    const result = await this.runProbe(container, settings);
    if (!this.timers.has(container) || !container.health) return;
    const before = container.health.Status;
    container.health = nextHealth(container.health, result, settings, Date.now() - startedAt < settings.startPeriod);
    if (container.health.Status !== before) this.events.publish(container, `health_status: ${container.health.Status}`);
  }

  private async runProbe(container: Container, settings: HealthSettings): Promise<HealthLog> {
    const { config } = container.record;
    const started = nowRfc3339Nano();
    const command = probeCommand(config.Healthcheck, config.Shell) ?? [];
    const { exitCode, output } = await this.probe(container, command, settings.timeout).catch((error: unknown) => ({
      exitCode: -1,
      output: error instanceof Error ? error.message : String(error),
    }));
    return { Start: started, End: nowRfc3339Nano(), ExitCode: exitCode, Output: output.slice(0, keptOutput) };
  }
}
