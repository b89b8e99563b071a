/** Help texts in the layout of the docker CLI and pflag: usage line, aliases, options in wrapped columns, command groups. */

import { goQuote } from "../base/go-quote.ts";
import { type Command, type CommandEntry, useLine } from "./command.ts";
import type { FlagSpec } from "./flag-kinds.ts";
import type { FlagSpecs } from "./flags.ts";
import type { CliPlugin } from "./plugins/plugins.ts";

/** Help of one command. `columns` is the terminal's width. */
export function commandHelp(
  path: string,
  program: string,
  entry: CommandEntry,
  command: Command,
  columns: number,
): string {
  let text = `Usage:  ${useLine(path, command)}\n\n${command.description ?? entry.summary}\n`;
  if (entry.shownAliases)
    text += `\nAliases:\n  ${entry.shownAliases.map((alias) => `${program} ${alias}`).join(", ")}\n`;
  const options = flagHelp(command.flags, columns);
  return options === "" ? text : `${text}\nOptions:\n${options}\n`;
}

/** What only the program's own help has. */
interface ProgramHelp {
  readonly globals: FlagSpecs;
  readonly plugins: readonly CliPlugin[];
}

/** Help of a noun, or of the program itself. */
export function nounHelp(
  path: string,
  summary: string,
  entries: readonly CommandEntry[],
  columns: number,
  { globals, plugins }: Partial<ProgramHelp> = {},
): string {
  let text = `Usage:  ${path}${globals ? " [OPTIONS]" : ""} COMMAND\n\n${summary}\n`;
  const visible = [...entries.filter((entry) => !entry.hidden), ...pluginEntries(plugins ?? [])];
  const invalid = (plugins ?? []).filter(({ Err }) => Err !== undefined);
  const names = [...visible.map(({ name }) => name), ...invalid.map(({ Name }) => Name)];
  const padding = Math.max(11, ...names.map((name) => name.length));
  const isNoun = (entry: CommandEntry) => entry.children !== undefined;
  const groups: [string, CommandEntry[]][] = [
    ["Common Commands", visible.filter((entry) => entry.group === "common")],
    ["Management Commands", visible.filter((entry) => isNoun(entry) && entry.group !== "swarm").sort(byName)],
    ["Swarm Commands", visible.filter((entry) => entry.group === "swarm")],
    ["Commands", visible.filter((entry) => !isNoun(entry) && entry.group === undefined).sort(byName)],
  ];
  for (const [title, members] of groups) {
    if (members.length === 0) continue;
    const lines = members.map((entry) => `  ${entry.name.padEnd(padding + 1)}${entry.summary}\n`);
    text += `\n${title}:\n${lines.join("")}`;
  }
  if (invalid.length > 0) {
    text += `\nInvalid Plugins:\n${invalid.map(({ Name, Err }) => `  ${Name.padEnd(padding + 1)}${Err}\n`).join("")}`;
  }
  if (globals) text += `\nGlobal Options:\n${flagHelp(globals, columns)}\n`;
  return `${text}\nRun '${path} COMMAND --help' for more information on a command.\n`;
}

/** A plugin stands among the nouns, with a star. */
function pluginEntries(plugins: readonly CliPlugin[]): CommandEntry[] {
  const shown = plugins.filter(({ Err, Hidden }) => Err === undefined && !Hidden);
  return shown.map(({ Name, ShortDescription = "" }) => ({
    name: `${Name}*`,
    summary: ShortDescription,
    children: [],
  }));
}

function byName(a: CommandEntry, b: CommandEntry): number {
  return a.name < b.name ? -1 : 1;
}

/** pflag's FlagUsagesWrapped, without the newline at the end. */
export function flagHelp(specs: FlagSpecs, columns: number): string {
  const rows = Object.entries(specs)
    .filter(([, spec]) => !spec.hidden && spec.deprecated === undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, spec]) => [flagHead(name, spec), flagText(spec)] as const);
  const width = Math.max(0, ...rows.map(([head]) => head.length));
  return rows
    .map(([head, text]) => `${head}${" ".repeat(width - head.length)}   ${wrap(width + 3, columns - 1, text)}`)
    .join("\n")
    .trimEnd();
}

function flagHead(name: string, spec: FlagSpec<unknown>): string {
  const short = spec.short !== undefined && spec.shortDeprecated === undefined;
  const head = short ? `  -${spec.short}, --${name}` : `      --${name}`;
  const named = /`([^`]+)`/.exec(spec.usage)?.[1] ?? spec.kind.typeName;
  return named === "" ? head : `${head} ${named}`;
}

function flagText(spec: FlagSpec<unknown>): string {
  const usage = spec.usage.replaceAll("`", "");
  if (spec.kind.typeName === "string") {
    return spec.initial === "" ? usage : `${usage} (default ${goQuote(String(spec.initial))})`;
  }
  const shown = spec.kind.showDefault(spec.initial);
  return shown === "" ? usage : `${usage} (default ${shown})`;
}

/** Lines of at most `width`, continued at column `indent`; a short last word may stick out rather than stand alone. */
function wrap(indent: number, width: number, text: string): string {
  const slop = 5;
  let column = indent;
  let head = "";
  if (width - column < 24) {
    column = 16;
    head = `\n${" ".repeat(column)}`;
  }
  if (width - column < 24) return text.replaceAll("\n", head);
  const pad = `\n${" ".repeat(column)}`;
  const parts: string[] = [];
  let rest = text;
  do {
    const [line, remainder] = cut(width - column - slop, slop, rest);
    parts.push(line.replaceAll("\n", pad));
    rest = remainder;
  } while (rest !== "");
  return head + parts.join(pad);
}

function cut(width: number, slop: number, text: string): [string, string] {
  if (width + slop > text.length) return [text, ""];
  const window = text.slice(0, width);
  const space = Math.max(window.lastIndexOf(" "), window.lastIndexOf("\t"), window.lastIndexOf("\n"));
  if (space <= 0) return [text, ""];
  const newline = window.lastIndexOf("\n");
  const at = newline > 0 && newline < space ? newline : space;
  return [text.slice(0, at), text.slice(at + 1)];
}
