/** `__complete -- WORDS…`: candidates for the last word, one per line, a description after a tab; `:files` asks for file names. */
import { type Command, type CommandEntry, defineCommand, findEntry } from "../command.ts";
import { commandTable } from "../commands.ts";
import type { CliContext } from "../context.ts";
import type { FlagSpecs } from "../flags.ts";
import { globalFlags } from "../global-flags.ts";
import { argumentNames, flagNames } from "./names.ts";
import { pluginCandidates, pluginNames } from "./plugins.ts";

export const command = defineCommand({
  usage: "WORDS",
  args: { min: 0 },
  flags: {},
  interspersed: false,
  async run(context, _flags, words) {
    const found = await candidates(context, words);
    const current = words.at(-1) ?? "";
    const lines = found === "files" ? [":files"] : found.filter((line) => line.startsWith(current));
    context.stdout.write(lines.map((line) => `${line}\n`).join(""));
    return 0;
  },
});

/** What may stand in place of the last word. */
async function candidates(context: CliContext, words: readonly string[]): Promise<string[] | "files"> {
  const current = words.at(-1) ?? "";
  const globals = globalFlags(context.config.directory);
  const { path, entries, rest, foreign } = descend(words.slice(0, -1), globals);
  if (foreign.length > 0) return pluginCandidates(context, [...foreign, current]);
  const entry = path.at(-1);
  if (!entry?.load) {
    if (current.startsWith("-")) return flagLines(path.length === 0 ? globals : {});
    const own = entries.filter(visible).map(describe);
    return path.length === 0 ? [...own, ...(await pluginNames(context))] : own;
  }
  const command = await entry.load();
  const pending = pendingFlag(command.flags, rest);
  const names = path.map(({ name }) => name);
  if (pending !== undefined) return flagNames(context, names, pending);
  const assigned = /^--([\w-]+)=/.exec(current);
  if (assigned?.[1]) {
    const values = await flagNames(context, names, assigned[1]);
    return values === "files" ? "files" : values.map((value) => `${assigned[0]}${value}`);
  }
  if (current.startsWith("-")) return flagLines(command.flags);
  return argumentNames(context, names, positionals(command, rest));
}

function visible(entry: CommandEntry): boolean {
  return entry.hidden !== true;
}

function describe(entry: CommandEntry): string {
  return `${entry.name}\t${entry.summary}`;
}

function flagLines(specs: FlagSpecs): string[] {
  const shown = Object.entries(specs).filter(([, spec]) => !spec.hidden && spec.deprecated === undefined);
  return shown.map(([name, spec]) => `--${name}\t${spec.usage.split("\n")[0] ?? ""}`);
}

/** Follows the words through the command table; `rest` is what stands after the command, `foreign` begins with a word that is none. */
function descend(words: readonly string[], globals: FlagSpecs) {
  const path: CommandEntry[] = [];
  let entries: readonly CommandEntry[] = commandTable;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word.startsWith("-")) {
      if (takesValue(globals, word)) at++;
      continue;
    }
    const found = findEntry(entries, word);
    if (!found) return { path, entries: [], rest: [], foreign: path.length === 0 ? words.slice(at) : [] };
    path.push(found);
    if (!found.children) return { path, entries: [], rest: words.slice(at + 1), foreign: [] };
    entries = found.children;
  }
  return { path, entries, rest: [], foreign: [] };
}

/** The name of the flag that `word` is, if its value is the next word. */
function takesValue(specs: FlagSpecs, word: string): string | undefined {
  if (word.includes("=")) return undefined;
  const last = word.at(-1);
  const found = Object.entries(specs).find(([name, spec]) =>
    word.startsWith("--") ? word === `--${name}` : spec.short !== undefined && spec.short === last,
  );
  return found && found[1].kind.implied === undefined ? found[0] : undefined;
}

function pendingFlag(specs: FlagSpecs, words: readonly string[]): string | undefined {
  const last = words.at(-1);
  return last?.startsWith("-") ? takesValue(specs, last) : undefined;
}

function positionals(command: Command, words: readonly string[]): string[] {
  const found: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (found.length > 0 && command.interspersed === false) found.push(word);
    else if (!word.startsWith("-")) found.push(word);
    else if (takesValue(command.flags, word)) at++;
  }
  return found;
}
