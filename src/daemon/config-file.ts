/** Reads daemon.json. Throws OptionError in dockerd's words. */
import { readFileSync } from "node:fs";
import { errorCode, errorMessage } from "../base/errors.ts";
import type { Values } from "./flags.ts";
import { OptionError } from "./option-kinds.ts";
import { type Option, options } from "./options.ts";

/** Undefined when the file is not there and need not be. */
export function readConfigFile(path: string, required: boolean): Values | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if (errorCode(cause) === "ENOENT" && !required) return undefined;
    const reason = errorCode(cause) === "ENOENT" ? "no such file or directory" : errorMessage(cause);
    throw new OptionError(`open ${path}: ${reason}`, { cause });
  }
  return parseConfigFile(text);
}

export function parseConfigFile(text: string): Values {
  const values: Values = new Map();
  const unknown: string[] = [];
  for (const [key, value] of Object.entries(flatten(parseObject(text)))) {
    const option = options.find((candidate) => candidate.key === key);
    if (!option) unknown.push(key);
    else if (value !== null) values.set(option, read(option, value));
  }
  if (unknown.length > 0) {
    throw new OptionError(`the following directives don't match any configuration option: ${unknown.join(", ")}`);
  }
  return values;
}

/** `proxies` is an object of options. */
function flatten({ proxies = {}, ...rest }: Record<string, unknown>): Record<string, unknown> {
  if (typeof proxies !== "object" || Array.isArray(proxies)) {
    throw new OptionError(
      "invalid JSON: json: cannot unmarshal into Go struct field Config.proxies of type config.Proxies",
    );
  }
  return { ...rest, ...proxies };
}

/** An option may stand in one place only, even one that takes several values. */
export function refuseConflicts(flags: Values, file: Values): void {
  const conflicts: string[] = [];
  for (const [option, value] of flags) {
    if (!file.has(option)) continue;
    const { show } = option.kind;
    conflicts.push(`${option.key}: (from flag: ${show(value)}, from file: ${show(file.get(option))})`);
  }
  if (conflicts.length > 0) {
    throw new OptionError(
      `the following directives are specified both as a flag and in the configuration file: ${conflicts.join(", ")}`,
    );
  }
}

function read(option: Option, value: unknown): unknown {
  try {
    return option.kind.fromJson(value);
  } catch (cause) {
    if (!(cause instanceof OptionError)) throw cause;
    throw new OptionError(`invalid JSON: ${cause.message.replace("Config.NAME", `Config.${option.key}`)}`, { cause });
  }
}

function parseObject(text: string): Record<string, unknown> {
  if (text.trim() === "") return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new OptionError(`invalid JSON: ${errorMessage(cause)}`, { cause });
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new OptionError("invalid JSON: the configuration must be an object");
  }
  return parsed as Record<string, unknown>;
}
