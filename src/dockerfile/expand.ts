/** Variables in instructions, replaced where the Dockerfile reference says that they are. */
import type { Heredoc, Instruction } from "./instructions.ts";
import { type Escape, expandText, expandWord, expandWords, type Lookup } from "./shell-words.ts";

/** A copy with all values as they are meant. Throws `invalid-argument` for what cannot be replaced. */
export function expandInstruction(instruction: Instruction, lookup: Lookup, token: Escape = "\\"): Instruction {
  if (instruction.literal) return instruction;
  const word = (text: string) => expandWord(text, lookup, token);
  const optional = (fields: Record<string, string | undefined>) =>
    Object.fromEntries(
      Object.entries(fields).flatMap(([key, text]) => (text === undefined ? [] : [[key, word(text)]])),
    );
  const heredoc = (given: Heredoc) =>
    given.expand ? { ...given, content: expandText(given.content, lookup, token) } : given;
  switch (instruction.kind) {
    case "copy":
    case "add": {
      const { chown, chmod, from, checksum } = instruction;
      return {
        ...instruction,
        sources: instruction.sources.map(word),
        destination: word(instruction.destination),
        heredocs: instruction.heredocs.map(heredoc),
        exclude: instruction.exclude.map(word),
        ...optional({ chown, chmod, from, checksum }),
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
      return { ...instruction, ports: instruction.ports.flatMap((port) => expandWords(port, lookup, token)) };
    case "run":
      return { ...instruction, mounts: instruction.mounts.map((mount) => expandText(mount, lookup, token)) };
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
