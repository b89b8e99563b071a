/** Instructions as a history tells them, where the classic builder and BuildKit have the same words. */
import type { ContainerConfig, HealthConfig } from "../../api/container-config.ts";
import { formatGoDuration } from "../../base/go-duration.ts";
import { goQuotedList } from "../../base/go-quote.ts";
import type { Instruction } from "../../dockerfile/instructions.ts";

/** The instruction is expanded, and `config` has its effect. Undefined: each builder has words of its own. */
export function stepText(instruction: Instruction, config: ContainerConfig): string | undefined {
  switch (instruction.kind) {
    case "env":
    case "label":
      return `${instruction.kind.toUpperCase()} ${instruction.pairs.map((pair) => withValue(...pair)).join(" ")}`;
    case "maintainer":
      return `MAINTAINER ${instruction.name}`;
    case "cmd":
      return `CMD ${goQuotedList(config.Cmd ?? [])}`;
    case "entrypoint":
      return `ENTRYPOINT ${goQuotedList(config.Entrypoint ?? [])}`;
    case "user":
      return `USER ${instruction.user}`;
    case "volume":
      return `VOLUME [${instruction.paths.join(" ")}]`;
    case "stopsignal":
      return `STOPSIGNAL ${instruction.signal}`;
    case "shell":
      return `SHELL [${instruction.shell.join(" ")}]`;
    case "workdir":
      return `WORKDIR ${config.WorkingDir ?? "/"}`;
    default:
      return undefined;
  }
}

export function withValue(name: string, value: string | undefined): string {
  return value === undefined ? name : `${name}=${value}`;
}

/** In Go's words, in the order of Go's structure. */
export function healthDurations(config: HealthConfig): string[] {
  const durations = [config.Interval, config.Timeout, config.StartPeriod, config.StartInterval];
  return durations.map((nanos) => formatGoDuration(nanos ?? 0));
}
