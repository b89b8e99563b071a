/** `# check=skip=A,B;error=true;experimental=all`: which rules of the linter count. buildkit linter/linter.go */
import { invalidArgument } from "../../base/errors.ts";
import { parseGoBool } from "../../base/go-bool.ts";
import { type LintRule, lintRules } from "./lint-rules.ts";

export class CheckOptions {
  /** Any warning fails the build. */
  readonly error: boolean;
  private readonly skipped: ReadonlySet<string> | "all";
  private readonly experimental: ReadonlySet<string> | "all";

  /** Throws `invalid-argument`. Rules that do not exist may be named. */
  constructor(text = "") {
    let error = false;
    let skipped: ReadonlySet<string> | "all" = new Set();
    let experimental: ReadonlySet<string> | "all" = new Set();
    // White space ends the directive's value, whatever else the line says.
    for (const option of splitOptions(text.split(" ", 1)[0] as string)) {
      const [, key = "", value] = /^([^=]*)(?:=(.*))?$/s.exec(option) ?? [];
      if (value === undefined) throw wrong(`invalid check option ${JSON.stringify(option)}`);
      if (key === "skip") skipped = rules(value);
      else if (key === "experimental") experimental = rules(value);
      else if (key === "error") error = truth(option, value);
      else throw wrong(`invalid check option ${JSON.stringify(key)}`);
    }
    this.error = error;
    this.skipped = skipped;
    this.experimental = experimental;
  }

  wants(name: LintRule): boolean {
    const has = (set: ReadonlySet<string> | "all") => set === "all" || set.has(name);
    return "experimental" in lintRules[name] ? has(this.experimental) : !has(this.skipped);
  }
}

function splitOptions(text: string): string[] {
  if (text === "") return [];
  const [first = "", second, ...rest] = text.split(";");
  // The third is all that is left.
  return [first, ...(second === undefined ? [] : [second]), ...(rest.length > 0 ? [rest.join(";")] : [])];
}

function rules(value: string): ReadonlySet<string> | "all" {
  return value === "all" ? "all" : new Set(value.split(","));
}

function truth(option: string, value: string): boolean {
  const parsed = parseGoBool(value);
  if (parsed !== undefined) return parsed;
  const reason = `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`;
  throw wrong(`failed to parse check option ${JSON.stringify(option)}: ${reason}`);
}

function wrong(message: string): Error {
  return invalidArgument(`failed to parse check options: ${message}`);
}
