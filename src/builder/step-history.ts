/** What BuildKit writes of steps into an image's history. Source: buildkit frontend/dockerfile/dockerfile2llb/convert.go, commitToHistory. */
import type { ContainerConfig, HealthConfig } from "../api/container-config.ts";
import { formatGoDuration } from "../base/go-duration.ts";
import { goQuote, goQuotedList } from "../base/go-quote.ts";
import type { CopyInstruction, Instruction } from "../dockerfile/instructions.ts";
import { parseExposedPorts } from "../dockerfile/ports.ts";
import type { StageState } from "./stage-build.ts";
import type { FileStep } from "./step-keeper.ts";

/** Of a step that changes the config alone, whose effect the state has; undefined: it leaves no trace. */
export function historyOf(instruction: Instruction, state: StageState): string | undefined {
  const config: ContainerConfig = state.run.config;
  switch (instruction.kind) {
    case "env":
      return `ENV ${pairs(instruction.pairs)}`;
    case "label":
      return `LABEL ${pairs(instruction.pairs)}`;
    case "arg":
      return `ARG ${instruction.args.map(({ name }) => withValue(name, state.args.get(name))).join(" ")}`;
    case "maintainer":
      return `MAINTAINER ${instruction.name}`;
    case "cmd":
      return `CMD ${goQuotedList(config.Cmd ?? [])}`;
    case "entrypoint":
      return `ENTRYPOINT ${goQuotedList(config.Entrypoint ?? [])}`;
    case "expose":
      return `EXPOSE [${instruction.ports.flatMap(parseExposedPorts).toSorted().join(" ")}]`;
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
    case "healthcheck":
      return `HEALTHCHECK ${health(config.Healthcheck ?? {})}`;
    default:
      return undefined;
  }
}

/** Of a step that changes files. */
export function historyOfFiles(step: FileStep, { run }: StageState): string {
  if ("command" in step) return `RUN ${step.command.join(" ")} # buildkit`;
  if (step.instruction.kind === "workdir") return `WORKDIR ${run.config.WorkingDir ?? "/"}`;
  return `${copyText(step.instruction as CopyInstruction)} # buildkit`;
}

function copyText({ kind, chown, chmod, sources, heredocs, destination }: CopyInstruction): string {
  return [
    kind === "add" ? "ADD" : "COPY",
    ...(chown === undefined ? [] : [`--chown=${chown}`]),
    ...(chmod === undefined ? [] : [`--chmod=${chmod}`]),
    ...sources,
    ...heredocs.map(({ name }) => `<<${name}`),
    destination,
  ].join(" ");
}

function pairs(list: readonly [string, string][]): string {
  return list.map(([name, value]) => `${name}=${value}`).join(" ");
}

function withValue(name: string, value: string | undefined): string {
  return value === undefined ? name : `${name}=${value}`;
}

/** Go's `%q` of a pointer to a HealthConfig. */
function health(config: HealthConfig): string {
  const durations = [config.Interval, config.Timeout, config.StartPeriod, config.StartInterval];
  const shown = durations.map((nanos) => goQuote(formatGoDuration(nanos ?? 0))).join(" ");
  return `&{${goQuotedList(config.Test ?? [])} ${shown} ${quotedRune(config.Retries ?? 0)}}`;
}

/** Go's `%q` of an integer: the character of that code. */
function quotedRune(code: number): string {
  if (code >= 0x20 && code < 0x7f) return `'${code === 0x27 || code === 0x5c ? "\\" : ""}${String.fromCharCode(code)}'`;
  const named: Record<number, string> = { 7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r" };
  return `'${named[code] ?? `\\x${code.toString(16).padStart(2, "0")}`}'`;
}
