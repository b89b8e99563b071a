/** One line into an instruction. buildkit frontend/dockerfile/instructions/parse.go, whose messages these are. */
import { invalidArgument } from "../base/errors.ts";
import { InstructionFlags } from "./flags.ts";
import { healthConfig } from "./health.ts";
import type { CopyInstruction, Heredoc, Instruction, RunInstruction, Stage } from "./instructions.ts";
import type { Line } from "./lines.ts";
import { withSuggestion } from "./lint/suggest.ts";
import { checkMount } from "./mounts.ts";
import { type Arguments, splitArguments } from "./words/arguments.ts";
import { type LineHeredoc, parseHeredocWord } from "./words/heredocs.ts";

type Base = Pick<Instruction, "original" | "location">;
type Parse = (line: Line, args: Arguments, base: Base) => Instruction;

/** FROM; `original` is trimmed as the classic builder shows it. */
export function parseFrom(line: Line, { words }: Arguments): Stage {
  const named = words.length === 3 && words[1]?.toLowerCase() === "as";
  if (!named && words.length !== 1) throw invalidArgument("FROM requires either one or three arguments");
  const name = named ? (words[2] as string).toLowerCase() : undefined;
  if (name !== undefined && !/^[a-z][a-z0-9\-_.]*$/.test(name)) {
    throw invalidArgument(
      `invalid name for build stage: ${JSON.stringify(words[2])}, name can't start with a number or contain symbols`,
    );
  }
  const platform = new InstructionFlags(line.flags, { text: ["platform"] }).text("platform");
  return {
    ...(name === undefined ? {} : { name }),
    base: words[0] as string,
    ...(platform ? { platform } : {}),
    instructions: [],
    original: line.original.trim(),
    location: line.location,
  };
}

/** Everything but FROM. Throws `invalid-argument`. */
export function parseInstruction(line: Line, args: Arguments = splitArguments(line)): Instruction {
  const parse = parsers[line.name];
  if (!parse) {
    const message = `unknown instruction: ${line.givenName}`;
    throw invalidArgument(withSuggestion(message, line.givenName, [...Object.keys(parsers), "FROM"], true));
  }
  return parse(line, args, { original: line.original.trim(), location: line.location });
}

const parsers: Record<string, Parse> = {
  ADD: (line, args, base) => copy("add", line, args, base),
  ARG: (line, { words }, base) => {
    noFlags(line);
    atLeastOne("ARG", words);
    const declared = words.map((word) => {
      const [, name = "", value] = /^([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
      if (name === "") throw invalidArgument("ARG names can not be blank");
      return value === undefined ? { name } : { name, value };
    });
    return { ...base, kind: "arg", args: declared };
  },
  CMD: (line, args, base) => ({ ...base, kind: "cmd", ...command(line, args) }),
  COPY: (line, args, base) => copy("copy", line, args, base),
  ENTRYPOINT: (line, args, base) => ({ ...base, kind: "entrypoint", ...command(line, args) }),
  ENV: (line, args, base) => ({ ...base, kind: "env", pairs: pairsOf(line, args) }),
  EXPOSE: (line, { words }, base) => {
    atLeastOne("EXPOSE", words);
    noFlags(line);
    return { ...base, kind: "expose", ports: words.toSorted() };
  },
  HEALTHCHECK: (line, { health }, base) => {
    const config = healthConfig(health ?? { type: "", text: "", json: undefined }, line.flags);
    return { ...base, kind: "healthcheck", health: config };
  },
  LABEL: (line, args, base) => ({ ...base, kind: "label", pairs: pairsOf(line, args) }),
  MAINTAINER: (line, { words }, base) => ({ ...base, kind: "maintainer", name: exactlyOne(line, words) }),
  ONBUILD: (line, { trigger }, base) => {
    if (!trigger) throw invalidArgument("ONBUILD requires at least one argument");
    noFlags(line);
    if (trigger.name === "ONBUILD") throw invalidArgument("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    if (trigger.name === "FROM" || trigger.name === "MAINTAINER") {
      throw invalidArgument(`${trigger.name} isn't allowed as an ONBUILD trigger`);
    }
    const bodies = line.heredocs.map(({ name, raw }) => `\n${raw}${name}`).join("");
    return { ...base, kind: "onbuild", expression: line.rest + bodies };
  },
  RUN: run,
  SHELL: (line, { words, json }, base) => {
    noFlags(line);
    if (words.length === 0) throw invalidArgument("SHELL requires at least one argument");
    if (!json) throw invalidArgument("SHELL requires the arguments to be in JSON form");
    return { ...base, kind: "shell", shell: words };
  },
  // It takes no flags, and is the only one that says nothing of them.
  STOPSIGNAL: (line, { words }, base) => ({
    ...base,
    kind: "stopsignal",
    signal: exactlyOne({ ...line, flags: [] }, words),
  }),
  USER: (line, { words }, base) => ({ ...base, kind: "user", user: exactlyOne(line, words) }),
  VOLUME: (line, { words }, base) => {
    atLeastOne("VOLUME", words);
    noFlags(line);
    if (words.some((word) => word.trim() === "")) throw invalidArgument("VOLUME specified can not be an empty string");
    return { ...base, kind: "volume", paths: words };
  },
  WORKDIR: (line, { words }, base) => ({ ...base, kind: "workdir", path: exactlyOne(line, words) }),
};

const copyFlags = { text: ["chown", "chmod", "from"], boolean: ["link", "parents"], list: ["exclude"] };
const addFlags = {
  text: ["chown", "chmod", "checksum"],
  boolean: ["link", "keep-git-dir", "unpack"],
  list: ["exclude"],
};

function copy(kind: "add" | "copy", line: Line, { words }: Arguments, base: Base): CopyInstruction {
  const name = kind.toUpperCase();
  if (words.length < 2) {
    const reason = "but only one was provided. Destination could not be determined";
    throw invalidArgument(`${name} requires at least two arguments, ${reason}`);
  }
  const flags = new InstructionFlags(line.flags, kind === "add" ? addFlags : copyFlags);
  const destination = words.at(-1) as string;
  if (parseHeredocWord(destination)) throw invalidArgument(`${name} cannot accept a heredoc as a destination`);
  const given = words.slice(0, -1);
  const sources = given.filter((word) => !parseHeredocWord(word));
  const names = given.flatMap((word) => parseHeredocWord(word)?.name ?? []);
  const texts = Object.fromEntries(
    ["chown", "chmod", "from", "checksum"].flatMap((flag) => {
      const value = flags.text(flag);
      return value === undefined ? [] : [[flag, value]];
    }),
  );
  return {
    ...base,
    kind,
    sources,
    heredocs: line.heredocs.filter(({ name }) => names.includes(name)).map(toHeredoc),
    destination,
    ...texts,
    link: flags.boolean("link"),
    parents: flags.boolean("parents"),
    exclude: flags.list("exclude"),
    keepGitDir: flags.boolean("keep-git-dir"),
    ...(flags.text("unpack") === undefined ? {} : { unpack: flags.boolean("unpack") }),
  };
}

function run(line: Line, args: Arguments, base: Base): RunInstruction {
  const flags = new InstructionFlags(line.flags, { text: ["network", "security"], list: ["mount", "device"] });
  const [network, security] = [flags.text("network"), flags.text("security")];
  if (network !== undefined && !["default", "none", "host"].includes(network)) {
    throw invalidArgument(`invalid network mode ${JSON.stringify(network)}`);
  }
  if (security !== undefined && !["insecure", "sandbox"].includes(security)) {
    throw invalidArgument(`security ${JSON.stringify(security)} is not valid`);
  }
  const mounts = flags.list("mount");
  for (const mount of mounts) checkMount(mount);
  return {
    ...base,
    kind: "run",
    command: args.words,
    shellForm: !args.json,
    heredocs: line.heredocs.map(toHeredoc),
    mounts,
    devices: flags.list("device"),
    ...(network === undefined ? {} : { network: network as "default" }),
    ...(security === undefined ? {} : { security: security as "sandbox" }),
  };
}

function toHeredoc({ name, content, expand }: LineHeredoc): Heredoc {
  return { name, content, expand };
}

function command(line: Line, { words, json }: Arguments): { command: string[]; shellForm: boolean } {
  noFlags(line);
  return { command: words, shellForm: !json };
}

function pairsOf(line: Line, { pairs }: Arguments): [string, string][] {
  noFlags(line);
  if (pairs.length === 0) throw invalidArgument(`${line.name} requires at least one argument`);
  if (pairs.some(([name]) => name === "")) throw invalidArgument(`${line.name} names can not be blank`);
  return pairs;
}

function noFlags(line: Line): void {
  new InstructionFlags(line.flags, {});
}

function atLeastOne(name: string, words: readonly string[]): void {
  if (words.length === 0) throw invalidArgument(`${name} requires at least one argument`);
}

function exactlyOne(line: Line, words: readonly string[]): string {
  const [word] = words;
  if (word === undefined) throw invalidArgument(`${line.name} requires exactly one argument`);
  noFlags(line);
  return word;
}
