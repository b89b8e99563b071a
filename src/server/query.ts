/** Query parameters, read as dockerd reads them. */
import type { Filters } from "../api/system.ts";
import { invalidArgument } from "../base/errors.ts";
import { goComplaint } from "../base/go-json-complaint.ts";

/** Go's words for a number that is none. */
function invalidNumber(parser: string, text: string): Error {
  return invalidArgument(`strconv.${parser}: parsing ${JSON.stringify(text)}: invalid syntax`);
}

export class Query {
  private readonly params: URLSearchParams;

  constructor(params: URLSearchParams) {
    this.params = params;
  }

  has(name: string): boolean {
    return this.params.has(name);
  }

  /** Empty when it is not given. */
  text(name: string): string {
    return this.params.get(name) ?? "";
  }

  /** Undefined when it is not given or empty. */
  optional(name: string): string | undefined {
    return this.params.get(name) || undefined;
  }

  all(name: string): string[] {
    return this.params.getAll(name);
  }

  /** Everything is true but empty, `0`, `no`, `false` and `none`. */
  bool(name: string, fallback = false): boolean {
    if (!this.params.has(name)) return fallback;
    return !["", "0", "no", "false", "none"].includes(this.text(name).trim().toLowerCase());
  }

  /** Undefined when it is not given or empty; throws for what is not an integer. */
  integer(name: string): number | undefined {
    const text = this.text(name);
    if (text === "") return undefined;
    if (!/^[+-]?\d+$/.test(text)) throw invalidNumber("Atoi", text);
    return Number(text);
  }

  /** `1700000000` or `1700000000.123456789` seconds → nanoseconds; undefined when it is not given or empty. */
  timestamp(name: string): bigint | undefined {
    const text = this.text(name);
    const match = /^(-?\d+)(?:\.(\d+))?$/.exec(text);
    if (text === "") return undefined;
    if (!match) throw invalidNumber("ParseInt", text.split(".")[0] ?? text);
    const nanos = BigInt(match[1] as string) * 1_000_000_000n + BigInt((match[2] ?? "").slice(0, 9).padEnd(9, "0"));
    return nanos > 0n ? nanos : 0n;
  }

  /** A value in JSON; undefined when it is not given, empty or null. `problem`: what the complaint begins with. */
  json<T>(name: string, problem: string): T | undefined {
    const text = this.text(name);
    if (text === "") return undefined;
    try {
      return (JSON.parse(text) as T | null) ?? undefined;
    } catch (cause) {
      throw invalidArgument(`${problem}: ${ofWholeText(goComplaint(text))}`, { cause });
    }
  }

  /**
   * `filters` in both forms: `{"name":{"value":true}}` and `{"name":["value"]}`. Names beside the accepted ones are refused. `problem`: what
   * the complaint of a text that is no filters begins with.
   */
  filters(accepted?: readonly string[], problem = ""): Filters {
    const filters = parseFilters(this.text("filters"), problem);
    for (const name of Object.keys(filters)) {
      if (accepted && !accepted.includes(name)) throw invalidArgument(`invalid filter '${name}'`);
    }
    return filters;
  }
}

function parseFilters(text: string, problem: string): Filters {
  const invalid = (cause?: unknown) => invalidArgument(`${problem}invalid filter`, { cause });
  if (text === "") return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw invalid(cause);
  }
  const filters: Filters = {};
  if (parsed === null) return filters;
  if (typeof parsed !== "object" || Array.isArray(parsed)) throw invalid();
  for (const [name, values] of Object.entries(parsed)) {
    const found = filterValues(values);
    if (!found) throw invalid();
    filters[name] = found;
  }
  return filters;
}

/** undefined: neither of both forms. */
function filterValues(values: unknown): string[] | undefined {
  if (Array.isArray(values)) return values.every((value) => typeof value === "string") ? values : undefined;
  return typeof values === "object" ? Object.keys(values ?? {}) : undefined;
}

/** Go says it so of a text that it had whole from the beginning. */
function ofWholeText(complaint: string): string {
  return complaint === "unexpected EOF" ? "unexpected end of JSON input" : complaint;
}
