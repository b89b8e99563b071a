/** `HEALTHCHECK [--interval= …] CMD … | NONE`, with BuildKit's messages. */
import type { HealthConfig } from "../../../api/container-config.ts";
import { invalidArgument } from "../../../base/errors.ts";
import { type Instruction, parseJsonWords } from "./instruction.ts";

const durationFlags: Record<string, "Interval" | "Timeout" | "StartPeriod" | "StartInterval"> = {
  interval: "Interval",
  timeout: "Timeout",
  "start-period": "StartPeriod",
  "start-interval": "StartInterval",
};
const nanosPerUnit: Record<string, number> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

export function parseHealthcheck(instruction: Instruction): HealthConfig {
  const [, type = "", rest = ""] = /^(\S*)\s*(.*)$/s.exec(instruction.rest) ?? [];
  if (type === "") throw invalidArgument("HEALTHCHECK requires at least one argument");
  if (type.toUpperCase() === "NONE") {
    if (rest !== "") throw invalidArgument("HEALTHCHECK NONE takes no arguments");
    return { Test: ["NONE"] };
  }
  if (type.toUpperCase() !== "CMD") {
    throw invalidArgument(`Unknown type ${JSON.stringify(type.toUpperCase())} in HEALTHCHECK (try CMD)`);
  }
  const words = parseJsonWords(rest);
  const command = words ?? (rest === "" ? [] : [rest]);
  if (command.length === 0) throw invalidArgument("Missing command after HEALTHCHECK CMD");
  return { Test: [words ? "CMD" : "CMD-SHELL", ...command], ...parseFlags(instruction.flags) };
}

function parseFlags(flags: string[]): HealthConfig {
  const config: HealthConfig = {};
  for (const flag of flags) {
    const [, name = "", value] = /^--([^=]*)(?:=(.*))?$/s.exec(flag) ?? [];
    const field = name === "retries" ? "Retries" : durationFlags[name];
    if (field === undefined) throw invalidArgument(`unknown flag: --${name}`);
    if (value === undefined) throw invalidArgument(`missing a value on flag: --${name}`);
    const number = field === "Retries" ? retries(value) : duration(name, value);
    // Zero means the default, and dockerd does not write it.
    if (number !== 0) config[field] = number;
  }
  return config;
}

function duration(name: string, value: string): number {
  const nanos = value === "" ? 0 : parseGoDuration(value);
  if (nanos === undefined) throw invalidArgument(`time: invalid duration ${JSON.stringify(value)}`);
  if (nanos !== 0 && nanos < 1e6) throw invalidArgument(`Interval ${JSON.stringify(name)} cannot be less than 1ms`);
  return nanos;
}

function retries(value: string): number {
  if (!/^[+-]?\d+$/.test(value))
    throw invalidArgument(`strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`);
  if (Number(value) < 0) throw invalidArgument(`--retries cannot be negative (${Number(value)})`);
  return Number(value);
}

/** Go's `1h2m3.5s` in nanoseconds; undefined for what is not a duration. */
export function parseGoDuration(text: string): number | undefined {
  if (/^[+-]?0$/.test(text)) return 0;
  if (!/^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(text)) return undefined;
  let nanos = 0;
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(ns|us|µs|μs|ms|s|m|h)/g)) {
    nanos += Number(amount) * (nanosPerUnit[unit as string] as number);
  }
  return Math.round(text.startsWith("-") ? -nanos : nanos);
}
