/** Log drivers and their options. Docker checks names at create and values at start; so does this. */
import type { LogConfig } from "../../api/container-config.ts";
import { internal, invalidArgument } from "../../base/errors.ts";

const drivers = ["json-file", "local", "none"] as const;
export type LogDriver = (typeof drivers)[number];

const fileOptions = ["max-size", "max-file", "compress"];
const optionsOf: Record<LogDriver, readonly string[] | undefined> = {
  "json-file": [...fileOptions, "labels", "labels-regex", "env", "env-regex", "tag"],
  local: fileOptions,
  none: undefined,
};
const common = ["mode", "max-buffer-size"];

/** How a log file is rotated. */
export interface LogRotation {
  /** Bytes; -1: never. */
  maxSize: number;
  maxFiles: number;
  compress: boolean;
}

/** At create: the driver's name and those of its options. Throws Docker's messages. */
export function checkLogConfig({ Type = "json-file", Config }: LogConfig): void {
  const config = Config ?? {};
  const driver = drivers.find((name) => name === (Type || "json-file"));
  if (driver === undefined) {
    throw invalidArgument(`error looking up logging plugin ${Type}: plugin ${JSON.stringify(Type)} not found`);
  }
  checkMode(config);
  const known = optionsOf[driver];
  const unknown = known && Object.keys(config).find((name) => !known.includes(name) && !common.includes(name));
  if (unknown === undefined) return;
  const place = driver === "local" ? "log driver local" : `${driver} log driver`;
  throw invalidArgument(`unknown log opt '${unknown}' for ${place}`);
}

function checkMode(config: Record<string, string>): void {
  const { mode = "blocking", "max-buffer-size": buffer } = config;
  if (mode !== "" && mode !== "blocking" && mode !== "non-blocking") {
    throw invalidArgument(`logger: logging mode not supported: ${mode}`);
  }
  if (buffer === undefined) return;
  if (mode !== "non-blocking") {
    throw invalidArgument("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  }
  const parsed = parseSize(buffer, 1024);
  if (typeof parsed === "string") throw invalidArgument(`error parsing option max-buffer-size: ${parsed}`);
}

/** At start: the options' values. Without any, files are kept small all the same. Throws Docker's messages. */
export function logRotation({ Type = "json-file", Config }: LogConfig): LogRotation {
  const config = Config ?? {};
  const given = fileOptions.some((name) => config[name] !== undefined);
  if (!given) return Type === "local" ? localDefaults : jsonFileDefaults;
  // Docker's json-file with any option is one file of any size, until told otherwise; its local driver keeps its defaults.
  const base = Type === "local" ? localDefaults : { maxSize: -1, maxFiles: 1, compress: false };
  const maxSize = config["max-size"] === undefined ? base.maxSize : positiveSize(config["max-size"]);
  const maxFiles = config["max-file"] === undefined ? base.maxFiles : fileCount(config["max-file"]);
  const compress = config["compress"] === undefined ? base.compress && maxFiles > 1 : bool(config["compress"]);
  if (compress && (maxFiles < 2 || maxSize < 0)) {
    throw fail("compress cannot be true when max-file is less than 2 or max-size is not set");
  }
  return { maxSize, maxFiles, compress };
}

const jsonFileDefaults: LogRotation = { maxSize: 10_000_000, maxFiles: 3, compress: true };
const localDefaults: LogRotation = { maxSize: 20_000_000, maxFiles: 5, compress: true };

function positiveSize(text: string): number {
  if (text === "-1") return -1;
  const size = parseSize(text, 1000);
  if (typeof size === "string") throw fail(size);
  if (size <= 0) throw fail("max-size must be a positive number");
  return size;
}

function fileCount(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw fail(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  if (Number(text) < 1) throw fail("max-file cannot be less than 1");
  return Number(text);
}

function bool(text: string): boolean {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(text)) return false;
  throw fail(`error reading compress log option: strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

function fail(reason: string) {
  return internal(`failed to create task for container: failed to initialize logging driver: ${reason}`);
}

/** `10m` → bytes, or what is wrong in the words of Docker's units library. `base` is 1000 or 1024. */
export function parseSize(text: string, base: 1000 | 1024): number | string {
  const match = /^(-?[\d.]+) ?([a-zA-Z]*)$/.exec(text);
  if (!match || Number.isNaN(Number(match[1]))) return `invalid size: '${text}'`;
  if (Number(match[1]) < 0) return `invalid size: '${text}'`;
  const suffix = (match[2] ?? "").toLowerCase();
  const power = "bkmgtp".indexOf(suffix[0] ?? "b");
  if (power < 0 || !/^(b|[kmgtp](i?b)?)?$/.test(suffix)) return `invalid suffix: '${suffix}'`;
  return Math.floor(Number(match[1]) * base ** power);
}
