/** The text of a Dockerfile into stages of instructions. */
import { EngineError, errorMessage, invalidArgument } from "../base/errors.ts";
import { splitArguments } from "./arguments.ts";
import type { Dockerfile, Instruction } from "./instructions.ts";
import { type Line, type Lines, parseLine, parseLines } from "./lines.ts";
import { parseFrom, parseInstruction } from "./parse-instruction.ts";

/** Throws `invalid-argument` in the words of dockerd, with the line. */
export function parseDockerfile(text: string | Uint8Array): Dockerfile {
  const source = typeof text === "string" ? text : new TextDecoder().decode(text);
  const { directives, lines, warnings } = prefixed("failed to parse Dockerfile: ", () => splitAll(source));
  const dockerfile: Dockerfile = { directives, metaArgs: [], stages: [], warnings };
  for (const { line, args } of lines) {
    const where = `dockerfile parse error on line ${line.location.startLine}: `;
    if (line.name === "FROM") {
      dockerfile.stages.push(prefixed(where, () => parseFrom(line, args)));
      continue;
    }
    const instruction = prefixed(where, () => parseInstruction(line, args));
    const stage = dockerfile.stages.at(-1);
    if (stage) stage.instructions.push(instruction);
    else if (instruction.kind === "arg") dockerfile.metaArgs.push(instruction);
    else throw invalidArgument("no build stage in current context");
  }
  if (dockerfile.stages.length === 0) throw invalidArgument("no build stage in current context");
  return dockerfile;
}

/** The instruction that ONBUILD left in an image. */
export function parseTrigger(expression: string): Instruction {
  const { lines } = parseLines(expression);
  return parseInstruction(lines[0] ?? parseLine(expression));
}

function splitAll(
  source: string,
): Omit<Lines, "lines"> & { lines: { line: Line; args: ReturnType<typeof splitArguments> }[] } {
  const { lines, ...rest } = parseLines(source);
  return { ...rest, lines: lines.map((line) => ({ line, args: splitArguments(line) })) };
}

function prefixed<T>(prefix: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new EngineError(error.kind, prefix + errorMessage(error), { cause: error });
  }
}
