/** `-c`/`--change` of commit and import: Dockerfile instructions that change a run config. moby: builder.go BuildFromConfig */
import type { ContainerConfig } from "../../api/container-config.ts";
import { invalidArgument } from "../../base/errors.ts";
import { expandInstruction } from "../../dockerfile/expand.ts";
import { parseLines } from "../../dockerfile/lines.ts";
import { parseInstruction } from "../../dockerfile/parse-instruction.ts";
import { applyInstruction, type RunConfigState } from "../../dockerfile/run-config.ts";
import { splitArguments } from "../../dockerfile/words/arguments.ts";

const allowed = "CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR".split(" ");

/** Applies the changes to a copy of the config. Throws `invalid-argument` for what dockerd refuses. */
export function applyChanges(config: ContainerConfig, changes: readonly string[]): ContainerConfig {
  const state: RunConfigState = { config: structuredClone(config), commandSet: false };
  if (changes.length === 0) return state.config;
  const { lines } = parseLines(changes.join("\n"));
  for (const { name, givenName } of lines) {
    if (!allowed.includes(name)) throw invalidArgument(`${givenName} is not a valid change command`);
  }
  const instructions = lines.map((line) => parseInstruction(line, splitArguments(line)));
  const lookup = (name: string) =>
    state.config.Env?.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
  for (const instruction of instructions) applyInstruction(state, expandInstruction(instruction, lookup));
  return state.config;
}
