/** A container's state as `inspect` and `ps` show it. */

import type { PortMap } from "../../../api/container-config.ts";
import type { ContainerState, Port } from "../../../api/containers.ts";
import { fromRfc3339 } from "../../../base/clock.ts";
import type { Container } from "../container.ts";

export function toApiState({ record, health }: Container): ContainerState {
  const { status, pid, exitCode, error, oomKilled, startedAt, finishedAt } = record.state;
  return {
    Status: status,
    Running: status === "running" || status === "paused" || status === "restarting",
    Paused: status === "paused",
    Restarting: status === "restarting",
    OOMKilled: oomKilled,
    Dead: status === "dead",
    Pid: pid,
    ExitCode: exitCode,
    Error: error,
    StartedAt: startedAt,
    FinishedAt: finishedAt,
    ...(health ? { Health: health } : {}),
  };
}

/** The `STATUS` column: `Up 2 hours (healthy)`, `Exited (0) 3 minutes ago`. `now` in milliseconds. */
export function describeStatus({ record, health }: Container, now: number): string {
  const { status, exitCode, startedAt, finishedAt } = record.state;
  const since = (time: string) => humanDuration(now - Number((fromRfc3339(time) ?? 0n) / 1_000_000n));
  switch (status) {
    case "created":
      return "Created";
    case "removing":
      return "Removal In Progress";
    case "dead":
      return "Dead";
    case "paused":
      return `Up ${since(startedAt)} (Paused)`;
    case "restarting":
      return `Restarting (${exitCode}) ${since(finishedAt)} ago`;
    case "running":
      return `Up ${since(startedAt)}${describeHealth(health?.Status)}`;
    case "exited":
      return `Exited (${exitCode}) ${since(finishedAt)} ago`;
  }
}

function describeHealth(status: string | undefined): string {
  if (status === undefined || status === "none") return "";
  return status === "starting" ? " (health: starting)" : ` (${status})`;
}

/** Milliseconds in the words of go-units' HumanDuration. */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(seconds / 60);
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.round(seconds / 3600);
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(seconds / 3600 / 24 / 365)} years`;
}

/** The ports of `ps`: published ones, then those only exposed. */
export function toApiPorts(ports: PortMap): Port[] {
  return Object.entries(ports).flatMap(([key, bindings]) => {
    const [number, type = "tcp"] = key.split("/");
    const exposed = { PrivatePort: Number(number), Type: type };
    if (!bindings || bindings.length === 0) return [exposed];
    return bindings.map(({ HostIp, HostPort }) => ({ IP: HostIp ?? "", ...exposed, PublicPort: Number(HostPort) }));
  });
}
