/** What the linter says of FROM lines, and the arguments that they see. */
import { EngineError, invalidArgument } from "../../base/errors.ts";
import { type Platform, parsePlatform } from "../../oci/platform.ts";
import { parseReference } from "../../oci/reference.ts";
import type { ArgInstruction, Stage } from "../instructions.ts";
import { automaticArgs } from "../known-args.ts";
import { type Escape, expandWord } from "../words/shell-words.ts";
import type { Findings } from "./findings.ts";
import { suggestion } from "./suggest.ts";

/** Of variables: those that had a value, and those that had none. */
interface Names {
  matched: Set<string>;
  unmatched: Set<string>;
}

/** The arguments before the first FROM, with the automatic ones. */
export class GlobalScope {
  readonly values: Readonly<Record<string, string>>;
  readonly names: readonly string[];
  private readonly token: Escape;

  constructor(given: {
    metaArgs: readonly ArgInstruction[];
    args: Readonly<Record<string, string>>;
    platform: Platform;
    target: string | undefined;
    token: Escape;
  }) {
    this.token = given.token;
    const values: Record<string, string> = automaticArgs(given.platform, given.target);
    this.values = values;
    const declared = given.metaArgs.flatMap(({ args }) => args);
    for (const { name, value: written } of declared) {
      const value = given.args[name] ?? (written === undefined ? undefined : this.expand(written));
      if (value !== undefined) values[name] = value;
    }
    this.names = [...new Set([...declared.map(({ name }) => name), ...Object.keys(values)])];
  }

  expand(text: string, names: Names = { matched: new Set(), unmatched: new Set() }): string {
    const lookup = (name: string) => {
      const value = this.values[name];
      (value === undefined ? names.unmatched : names.matched).add(name);
      return value;
    };
    return expandWord(text, lookup, this.token);
  }
}

/** Base names must make sense without any `--build-arg`. */
export function lintDefaultBases(findings: Findings, stages: readonly Stage[], scope: () => GlobalScope): void {
  try {
    const defaults = scope();
    for (const { base, location } of stages) {
      if (!isReference(defaults.expand(base))) findings.report("InvalidDefaultArgInFrom", location, base);
    }
  } catch (error) {
    // What cannot be expanded is said to be an error by who expands it for the build.
    if (!(error instanceof EngineError)) throw error;
  }
}

/** The base's name. Throws `invalid-argument` for a FROM line that cannot be built. */
export function lintBase(findings: Findings, stage: Stage, scope: GlobalScope): string {
  findings.location = stage.location;
  const base = expandDeclared(findings, stage, scope, stage.base).text;
  if (base === "") throw invalidArgument(`base name (${stage.base}) should not be blank`);
  if (stage.platform === undefined) return base;
  const { text, matched, unmatched } = expandDeclared(findings, stage, scope, stage.platform);
  const targeted = matched.size === 1 && unmatched.size === 0 && matched.has("TARGETPLATFORM");
  if (targeted && text === scope.values["TARGETPLATFORM"]) {
    findings.report("RedundantTargetPlatform", stage.location, stage.platform);
  }
  if (matched.size + unmatched.size === 0) lintConstantPlatform(findings, stage, text);
  if (text === "") throw invalidArgument(`empty platform value from expression ${stage.platform}`);
  return base;
}

function expandDeclared(
  findings: Findings,
  { location }: Stage,
  scope: GlobalScope,
  word: string,
): Names & { text: string } {
  const names: Names = { matched: new Set(), unmatched: new Set() };
  try {
    return { text: scope.expand(word, names), ...names };
  } finally {
    for (const name of names.unmatched) {
      if (scope.names.includes(name)) continue;
      findings.report("UndefinedArgInFrom", location, name, suggestion(name, scope.names) ?? "");
    }
  }
}

/** A stage that is named for its platform may have it written down. */
function lintConstantPlatform(findings: Findings, { name = "", location }: Stage, text: string): void {
  let platform: Platform;
  try {
    platform = parsePlatform(text);
  } catch (error) {
    if (error instanceof EngineError) return;
    throw error;
  }
  if (name.includes(platform.os) || name.includes(platform.architecture)) return;
  findings.report("FromPlatformFlagConstDisallowed", location, text);
}

function isReference(text: string): boolean {
  try {
    parseReference(text);
    return true;
  } catch (error) {
    if (error instanceof EngineError) return false;
    throw error;
  }
}
