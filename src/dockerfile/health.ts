/** `HEALTHCHECK [--interval= …] CMD … | NONE`, with BuildKit's messages. */
import type { HealthConfig } from "../api/container-config.ts";
import { invalidArgument } from "../base/errors.ts";
import { parseGoDuration } from "../base/go-duration.ts";
import { InstructionFlags } from "./flags.ts";

const durationFlags = {
  interval: "Interval",
  timeout: "Timeout",
  "start-period": "StartPeriod",
  "start-interval": "StartInterval",
} as const;

export interface HealthArguments {
  type: string;
  /** The command in JSON form, or undefined: `text` is for the shell. */
  json: string[] | undefined;
  text: string;
}

export function healthConfig({ type, json, text }: HealthArguments, given: readonly string[]): HealthConfig {
  if (type === "") throw invalidArgument("HEALTHCHECK requires at least one argument");
  if (type.toUpperCase() === "NONE") {
    if (json ? json.length > 0 : text !== "") throw invalidArgument("HEALTHCHECK NONE takes no arguments");
    return { Test: ["NONE"] };
  }
  const flags = new InstructionFlags(given, { text: [...Object.keys(durationFlags), "retries"] });
  if (type.toUpperCase() !== "CMD") {
    throw invalidArgument(`Unknown type ${JSON.stringify(type.toUpperCase())} in HEALTHCHECK (try CMD)`);
  }
  const command = json ?? (text === "" ? [] : [text]);
  if (command.length === 0) throw invalidArgument("Missing command after HEALTHCHECK CMD");
  const config: HealthConfig = { Test: [json ? "CMD" : "CMD-SHELL", ...command] };
  // Zero means the default, and dockerd does not write it.
  for (const [name, field] of Object.entries(durationFlags)) {
    const nanos = duration(name, flags.text(name) ?? "");
    if (nanos !== 0) config[field] = nanos;
  }
  const count = retries(flags.text("retries") ?? "");
  if (count !== 0) config.Retries = count;
  return config;
}

function duration(name: string, value: string): number {
  const nanos = value === "" ? 0 : parseGoDuration(value);
  if (nanos === undefined) throw invalidArgument(whyNoDuration(value));
  if (nanos !== 0 && nanos < 1e6) throw invalidArgument(`Interval ${JSON.stringify(name)} cannot be less than 1ms`);
  return nanos;
}

/** In the words of Go's time.ParseDuration. */
function whyNoDuration(value: string): string {
  const shown = JSON.stringify(value);
  let rest = value.replace(/^[+-]/, "");
  while (rest !== "") {
    const [whole, amount = "", unit = ""] = /^([\d.]*)([^\d.]*)/.exec(rest) ?? [""];
    if (!/^(?:\d+\.?\d*|\.\d+)$/.test(amount)) break;
    if (unit === "") return `time: missing unit in duration ${shown}`;
    if (parseGoDuration(`1${unit}`) === undefined) {
      return `time: unknown unit ${JSON.stringify(unit)} in duration ${shown}`;
    }
    rest = rest.slice(whole.length);
  }
  return `time: invalid duration ${shown}`;
}

function retries(value: string): number {
  if (value === "") return 0;
  if (!/^[+-]?\d+$/.test(value)) {
    throw invalidArgument(`strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`);
  }
  if (Math.abs(Number(value)) >= 2 ** 31) {
    throw invalidArgument(`strconv.ParseInt: parsing ${JSON.stringify(value)}: value out of range`);
  }
  if (Number(value) < 0) throw invalidArgument(`--retries cannot be negative (${Number(value)})`);
  return Number(value);
}
