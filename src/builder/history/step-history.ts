/** What BuildKit writes of steps into an image's history. Source: buildkit frontend/dockerfile/dockerfile2llb/convert.go, commitToHistory. */
import type { HealthConfig } from "../../api/container-config.ts";
import { goQuote, goQuotedList } from "../../base/go-quote.ts";
import type { CopyInstruction, Instruction } from "../../dockerfile/instructions.ts";
import { parseExposedPorts } from "../../dockerfile/ports.ts";
import type { StageState } from "../stage-build.ts";
import type { FileStep } from "../step-keeper.ts";
import { healthDurations, stepText, withValue } from "./step-text.ts";

/** Of a step that changes the config alone, whose effect the state has; undefined: it leaves no trace. */
export function historyOf(instruction: Instruction, state: StageState): string | undefined {
  const { config } = state.run;
  switch (instruction.kind) {
    case "arg":
      return `ARG ${instruction.args.map(({ name }) => withValue(name, state.args.get(name))).join(" ")}`;
    case "expose":
      return `EXPOSE [${instruction.ports.flatMap(parseExposedPorts).toSorted().join(" ")}]`;
    case "healthcheck":
      return `HEALTHCHECK ${health(config.Healthcheck ?? {})}`;
    default:
      return stepText(instruction, config);
  }
}

/** Of a step that changes files. */
export function historyOfFiles(step: FileStep, { run }: StageState): string {
  if ("command" in step) return `RUN ${step.command.join(" ")} # buildkit`;
  if ("digest" in step) return `${copyText(step.instruction)} # buildkit`;
  return stepText(step.instruction, run.config) ?? "";
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

/** Go's `%q` of a pointer to a HealthConfig. */
function health(config: HealthConfig): string {
  const shown = healthDurations(config).map(goQuote).join(" ");
  return `&{${goQuotedList(config.Test ?? [])} ${shown} ${quotedRune(config.Retries ?? 0)}}`;
}

/** Go's `%q` of an integer: the character of that code. */
function quotedRune(code: number): string {
  if (code >= 0x20 && code < 0x7f) return `'${code === 0x27 || code === 0x5c ? "\\" : ""}${String.fromCharCode(code)}'`;
  const named: Record<number, string> = { 7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r" };
  return `'${named[code] ?? `\\x${code.toString(16).padStart(2, "0")}`}'`;
}
