/**
 * The arguments of a line, split as its instruction wants them. What fails here fails before any instruction is looked at, as in
 * BuildKit, whose parser splits all lines first. buildkit frontend/dockerfile/parser/line_parsers.go
 */
import type { HealthArguments } from "../health.ts";
import { type Line, parseLine } from "../lines.ts";
import { parseJsonWords, parseNameValues, splitWords } from "./words.ts";

export interface Arguments {
  words: string[];
  /** The words were a JSON array. */
  json: boolean;
  /** Of ENV and LABEL. */
  pairs: [name: string, value: string][];
  health?: HealthArguments;
  trigger?: Line;
}

const none: Arguments = { words: [], json: false, pairs: [] };

export function splitArguments(line: Line): Arguments {
  const { rest, escape: token } = line;
  switch (line.name) {
    case "ADD":
    case "COPY":
    case "VOLUME": {
      const json = parseJsonWords(rest);
      return { ...none, words: json ?? fields(rest), json: json !== undefined };
    }
    case "RUN":
    case "CMD":
    case "ENTRYPOINT":
    case "SHELL": {
      const json = parseJsonWords(rest);
      return { ...none, words: json ?? (rest === "" ? [] : [rest]), json: json !== undefined };
    }
    case "ENV":
    case "LABEL":
      return { ...none, pairs: parseNameValues(rest, line.name, token) };
    case "ARG":
      return { ...none, words: splitWords(rest, token) };
    case "EXPOSE":
    case "FROM":
      return { ...none, words: fields(rest) };
    case "HEALTHCHECK": {
      const [, type = "", text = ""] = /^(\S*)\s*(.*)$/s.exec(rest) ?? [];
      return { ...none, health: { type, text, json: parseJsonWords(text) } };
    }
    case "ONBUILD": {
      if (rest === "") return none;
      const trigger = { ...parseLine(rest, token), heredocs: line.heredocs, location: line.location };
      splitArguments(trigger);
      return { ...none, words: [rest], trigger };
    }
    default:
      return { ...none, words: rest === "" ? [] : [rest] };
  }
}

function fields(text: string): string[] {
  return text.split(/\s+/).filter(Boolean);
}
