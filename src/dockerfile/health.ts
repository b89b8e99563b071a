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
    if (text !== "") throw invalidArgument("HEALTHCHECK NONE takes no arguments");
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
  if (nanos === undefined) throw invalidArgument(`time: invalid duration ${JSON.stringify(value)}`);
  if (nanos !== 0 && nanos < 1e6) throw invalidArgument(`Interval ${JSON.stringify(name)} cannot be less than 1ms`);
  return nanos;
}

function retries(value: string): number {
  if (value === "") return 0;
  if (!/^[+-]?\d+$/.test(value)) {
    throw invalidArgument(`strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`);
  }
  if (Number(value) < 0) throw invalidArgument(`--retries cannot be negative (${Number(value)})`);
  return Number(value);
}
