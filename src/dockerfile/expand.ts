/** Variables in instructions, replaced where the Dockerfile reference says that they are. */
import type { Heredoc, Instruction } from "./instructions.ts";
import { expandMount } from "./mounts.ts";
import { type Escape, expandText, expandWord, expandWords, type Lookup } from "./words/shell-words.ts";

/** What is done to each value, in the order of the file. */
export interface Expander {
  word(text: string): string;
  /** A word that may become several, or none. */
  words(text: string): string[];
  /** The body of a heredoc. */
  text(text: string): string;
}

/** A copy with all values as they are meant. Throws `invalid-argument` for what cannot be replaced. */
export function expandInstruction(instruction: Instruction, lookup: Lookup, token: Escape = "\\"): Instruction {
  return expandWith(instruction, {
    word: (text) => expandWord(text, lookup, token),
    words: (text) => expandWords(text, lookup, token),
    text: (text) => expandText(text, lookup),
  });
}

export function expandWith(instruction: Instruction, { word, words, text }: Expander): Instruction {
  if (instruction.literal) return instruction;
  const optional = (fields: Record<string, string | undefined>) =>
    Object.fromEntries(
      Object.entries(fields).flatMap(([key, value]) => (value === undefined ? [] : [[key, word(value)]])),
    );
  const heredoc = (given: Heredoc) => (given.expand ? { ...given, content: text(given.content) } : given);
  switch (instruction.kind) {
    case "copy":
    case "add": {
      const { chown, chmod, checksum } = instruction;
      return {
        ...instruction,
        ...optional({ chown, chmod, checksum }),
        sources: instruction.sources.map(word),
        destination: word(instruction.destination),
        heredocs: instruction.heredocs.map(heredoc),
      };
    }
    case "env":
    case "label":
      return { ...instruction, pairs: instruction.pairs.map(([name, value]) => [word(name), word(value)]) };
    case "arg":
      return {
        ...instruction,
        args: instruction.args.map(({ name, value }) => ({
          name: word(name),
          ...(value === undefined ? {} : { value: word(value) }),
        })),
      };
    case "expose":
      return { ...instruction, ports: instruction.ports.flatMap(words) };
    case "run":
      return { ...instruction, mounts: instruction.mounts.map((mount) => expandMount(mount, word)) };
    case "stopsignal":
      return { ...instruction, signal: word(instruction.signal) };
    case "user":
      return { ...instruction, user: word(instruction.user) };
    case "volume":
      return { ...instruction, paths: instruction.paths.map(word) };
    case "workdir":
      return { ...instruction, path: word(instruction.path) };
    default:
      return instruction;
  }
}
