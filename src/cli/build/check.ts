/** `build --check`: what a Dockerfile's text alone says about mistakes, shown as buildx shows it. Nothing is built, no daemon is asked. */
import { errorMessage } from "../../base/errors.ts";
import type { Dockerfile } from "../../dockerfile/instructions.ts";
import { lintDockerfile } from "../../dockerfile/lint/lint.ts";
import { parseDockerfile, parseErrorLocation } from "../../dockerfile/parse.ts";
import { CliError } from "../command.ts";
import { excerpt } from "./excerpt.ts";

export interface CheckInput {
  /** As it is named in messages. */
  name: string;
  text: string;
  args: Record<string, string>;
  target: string;
}

/** What to print. `failed`: the command's exit code is 1. Throws a CliError for a file that cannot be built at all. */
export function checkDockerfile({ name, text, args, target }: CheckInput): { output: string; failed: boolean } {
  const { warnings, error } = lintDockerfile(parse(name, text), { args, ...(target ? { target } : {}) });
  const count =
    warnings.length === 0
      ? "no warnings found."
      : `${warnings.length} warning${warnings.length === 1 ? " has" : "s have"} been found!`;
  let output = `Check complete, ${count}\n`;
  for (const { rule, url, message, location } of warnings) {
    output += `\nWARNING: ${rule}${url ? ` - ${url}` : ""}\n${message}\n${excerpt(name, text, location)}`;
  }
  if (error) {
    output += `\nERROR: ${error.message}\n${error.location ? excerpt(name, text, error.location) : ""}`;
  }
  return { output, failed: warnings.length > 0 || error !== undefined };
}

function parse(name: string, text: string): Dockerfile {
  try {
    return parseDockerfile(text);
  } catch (error) {
    const message = errorMessage(error);
    const location = parseErrorLocation(error);
    const shown = location ? `\n${excerpt(name, text, location)}` : "";
    throw new CliError(`ERROR: ${message}${shown}`);
  }
}
