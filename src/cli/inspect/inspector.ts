/**
 * What `inspect` prints: the daemon's own JSON, indented, or a template over it. A template first sees docker's struct types and, where it
 * asks for something they do not have (`.Id`), the plain JSON.
 */

import { errorMessage } from "../../base/errors.ts";
import { CliError } from "../command.ts";
import type { CliContext } from "../context.ts";
import { describeError } from "../errors.ts";
import { indentJson, parseJson } from "../format/json-text.ts";
import { Template } from "../format/template/exec.ts";
import { anyType, type GoType, typed } from "../format/template/go-type.ts";

/** One thing found: the daemon's JSON text and its Go type. */
export interface Inspected {
  text: string;
  type: GoType;
  /** Templates see the struct only, never the plain JSON. */
  structOnly?: boolean;
}

/** Prints all that is found, then fails with the messages of what is not. */
export async function inspectAll(
  context: CliContext,
  names: readonly string[],
  format: string,
  find: (name: string) => Promise<Inspected>,
): Promise<number> {
  const render = renderer(format);
  const failures: string[] = [];
  const shown: string[] = [];
  for (const name of names) {
    try {
      shown.push(render.one(await find(name)));
    } catch (error) {
      failures.push(describeError(error));
    }
  }
  context.stdout.write(render.all(shown));
  if (failures.length > 0) throw new CliError(failures.join("\n"));
  return 0;
}

interface Renderer {
  one(found: Inspected): string;
  all(shown: string[]): string;
}

function renderer(format: string): Renderer {
  if (format === "") return { one: ({ text }) => text, all: (shown) => `${indentJson(`[${shown.join(",")}]`)}\n` };
  if (format === "json") return { one: ({ text }) => compactJson(text), all: (shown) => `[${shown.join(",")}]\n` };
  let template: Template;
  try {
    template = new Template(format);
  } catch (error) {
    throw new CliError(`template parsing error: ${errorMessage(error)}`, 64);
  }
  return {
    one: (found) => `${renderTemplate(template, found)}\n`,
    all: (shown) => (shown.length === 0 ? "\n" : shown.join("")),
  };
}

function renderTemplate(template: Template, { text, type, structOnly }: Inspected): string {
  const value = parseJson(text);
  try {
    return template.execute(typed(type, value));
  } catch (error) {
    if (structOnly) throw new Error(`template parsing error: ${errorMessage(error)}`, { cause: error });
    // The plain JSON decides, and its error is the one to show.
  }
  try {
    return template.execute(typed(anyType, value), { missingKeyFails: true });
  } catch (error) {
    throw new Error(`template parsing error: ${errorMessage(error)}`, { cause: error });
  }
}

/** json.Compact: only the white space between tokens goes. */
function compactJson(text: string): string {
  return text.replace(/("(?:[^"\\]|\\.)*")|\s+/g, (_, quoted: string | undefined) => quoted ?? "");
}
