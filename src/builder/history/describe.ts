/**
 * What a step that runs nothing leaves in the history: `/bin/sh -c #(nop)  ENV a=b`. The forms are those of moby's classic builder
 * (builder/dockerfile/dispatchers.go), some of which are Go's way to print a list or a structure.
 */
import type { ContainerConfig, HealthConfig } from "../../api/container-config.ts";
import type { Instruction } from "../../dockerfile/instructions.ts";
import { shellOf } from "../../dockerfile/run-config.ts";
import { healthDurations, stepText, withValue } from "./step-text.ts";

/** The config as a container would have had it: its command is a comment. */
export function commentConfig(config: ContainerConfig, comment: string[]): ContainerConfig {
  return { ...config, Cmd: [...shellOf(config), ...comment] };
}

/** The comment of an instruction that changes the config alone; it is expanded, and `config` has its effect. */
export function describe(instruction: Instruction, config: ContainerConfig): string[] {
  const text = ownText(instruction, config) ?? stepText(instruction, config);
  if (text === undefined) throw new Error(`a step ${instruction.kind} is no comment`);
  return instruction.kind === "workdir" ? [`#(nop) ${text}`] : ["#(nop) ", text];
}

/** Where BuildKit has other words. */
function ownText(instruction: Instruction, config: ContainerConfig): string | undefined {
  switch (instruction.kind) {
    case "arg":
      return `ARG ${instruction.args.map(({ name, value }) => withValue(name, value)).join(" ")}`;
    case "expose":
      return `EXPOSE ${instruction.ports.toSorted().join(" ")}`;
    case "onbuild":
      return `ONBUILD ${instruction.expression}`;
    case "healthcheck":
      return `HEALTHCHECK ${goHealth(config.Healthcheck ?? {})}`;
    default:
      return undefined;
  }
}

/** Go's `%v` of a pointer to a HealthConfig. */
function goHealth(health: HealthConfig): string {
  return `&{[${(health.Test ?? []).join(" ")}] ${healthDurations(health).join(" ")} ${health.Retries ?? 0}}`;
}
