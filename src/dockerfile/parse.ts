/** The text of a Dockerfile into stages of instructions. */
import { EngineError, errorMessage, invalidArgument, withPrefix } from "../base/errors.ts";
import type { Dockerfile, Instruction, Location } from "./instructions.ts";
import { type Line, type Lines, parseLine, parseLines } from "./lines.ts";
import { lintWarning } from "./lint/lint-rules.ts";
import { parseFrom, parseInstruction } from "./parse-instruction.ts";
import { type Arguments, splitArguments } from "./words/arguments.ts";

/** Throws `invalid-argument` in the words of dockerd, with the line. */
export function parseDockerfile(text: string | Uint8Array): Dockerfile {
  const source = typeof text === "string" ? text : new TextDecoder().decode(text);
  if (source === "") throw invalidArgument("the Dockerfile cannot be empty");
  const { directives, lines, args, emptyContinuations } = prefixed("failed to parse Dockerfile: ", () =>
    splitAll(source),
  );
  const warnings = emptyContinuations.map((location) => lintWarning("NoEmptyContinuation", location));
  const dockerfile: Dockerfile = { directives, lines, metaArgs: [], stages: [], warnings };
  for (const [index, line] of lines.entries()) {
    const where = `dockerfile parse error on line ${line.location.startLine}: `;
    const words = args[index] as Arguments;
    if (line.name === "FROM") {
      dockerfile.stages.push(prefixed(where, () => parseFrom(line, words)));
      continue;
    }
    const instruction = prefixed(where, () => parseInstruction(line, words));
    const stage = dockerfile.stages.at(-1);
    if (stage) stage.instructions.push(instruction);
    else if (instruction.kind === "arg") dockerfile.metaArgs.push(instruction);
    else throw invalidArgument("no build stage in current context");
  }
  if (dockerfile.stages.length === 0) throw invalidArgument("dockerfile contains no stages to build");
  return dockerfile;
}

/** The line that an error of `parseDockerfile` is about; undefined: the whole file. */
export function parseErrorLocation(error: unknown): Location | undefined {
  const line = Number(/ on line (\d+)/.exec(errorMessage(error))?.[1] ?? 0);
  return line > 0 ? { startLine: line, endLine: line } : undefined;
}

/** The instruction that ONBUILD left in an image. */
export function parseTrigger(expression: string): Instruction {
  const { lines } = parseLines(expression);
  if (lines.length > 1) throw invalidArgument("onbuild trigger should be a single expression");
  return parseInstruction(lines[0] ?? parseLine(expression));
}

/** All lines are split before the first one is understood, so that is also the order of what can be wrong. */
function splitAll(source: string): Lines & { args: Arguments[] } {
  const found = parseLines(source);
  return { ...found, args: found.lines.map((line: Line) => splitArguments(line)) };
}

function prefixed<T>(prefix: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw withPrefix(prefix, error);
  }
}
