/**
 * What a step that runs nothing leaves in the history: `/bin/sh -c #(nop)  ENV a=b`. The forms are those of moby's classic builder
 * (builder/dockerfile/dispatchers.go), some of which are Go's way to print a list or a structure.
 */
import type { ContainerConfig, HealthConfig } from "../api/container-config.ts";
import { formatGoDuration } from "../base/go-duration.ts";
import { goQuotedList } from "../base/go-quote.ts";
import type { Instruction } from "../dockerfile/instructions.ts";
import { shellOf } from "../dockerfile/run-config.ts";

/** The config as a container would have had it: its command is a comment. */
export function commentConfig(config: ContainerConfig, comment: string[]): ContainerConfig {
  return { ...config, Cmd: [...shellOf(config), ...comment] };
}

/** The comment of an instruction that changes the config alone; it is expanded, and `config` has its effect. */
export function describe(instruction: Instruction, config: ContainerConfig): string[] {
  const two = (text: string) => ["#(nop) ", text];
  switch (instruction.kind) {
    case "env":
      return two(`ENV ${instruction.pairs.map(([name, value]) => `${name}=${value}`).join(" ")}`);
    case "label":
      return two(`LABEL ${instruction.pairs.map(([name, value]) => `${name}=${value}`).join(" ")}`);
    case "arg":
      return two(
        `ARG ${instruction.args.map(({ name, value }) => (value === undefined ? name : `${name}=${value}`)).join(" ")}`,
      );
    case "maintainer":
      return two(`MAINTAINER ${instruction.name}`);
    case "cmd":
      return two(`CMD ${goQuotedList(config.Cmd ?? [])}`);
    case "entrypoint":
      return two(`ENTRYPOINT ${goQuotedList(config.Entrypoint ?? [])}`);
    case "expose":
      return two(`EXPOSE ${instruction.ports.toSorted().join(" ")}`);
    case "user":
      return two(`USER ${instruction.user}`);
    case "volume":
      return two(`VOLUME [${instruction.paths.join(" ")}]`);
    case "stopsignal":
      return two(`STOPSIGNAL ${instruction.signal}`);
    case "shell":
      return two(`SHELL [${instruction.shell.join(" ")}]`);
    case "onbuild":
      return two(`ONBUILD ${instruction.expression}`);
    case "healthcheck":
      return two(`HEALTHCHECK ${goHealth(config.Healthcheck ?? {})}`);
    case "workdir":
      return [`#(nop) WORKDIR ${config.WorkingDir ?? "/"}`];
    default:
      throw new Error(`a step ${instruction.kind} is no comment`);
  }
}

/** Go's `%v` of a pointer to a HealthConfig. */
function goHealth(health: HealthConfig): string {
  const durations = [health.Interval, health.Timeout, health.StartPeriod, health.StartInterval];
  const shown = durations.map((nanos) => formatGoDuration(nanos ?? 0)).join(" ");
  return `&{[${(health.Test ?? []).join(" ")}] ${shown} ${health.Retries ?? 0}}`;
}
