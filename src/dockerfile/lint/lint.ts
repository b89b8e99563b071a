/**
 * `docker build --check`: what is allowed and yet likely to be a mistake. The order of the warnings is BuildKit's.
 * buildkit: dockerfile2llb/convert.go, instructions/parse.go
 */
import { EngineError } from "../../base/errors.ts";
import { hostPlatform, type Platform } from "../../oci/platform.ts";
import type { Dockerfile, Location, Warning } from "../instructions.ts";
import type { Line } from "../lines.ts";
import { CheckOptions } from "./check-options.ts";
import { Findings } from "./findings.ts";
import { GlobalScope, lintBase, lintDefaultBases } from "./lint-from.ts";
import { type LintImage, StageLinter } from "./lint-stage.ts";

export interface LintOptions {
  /** `--build-arg` */
  args?: Readonly<Record<string, string>>;
  platform?: Platform;
  target?: string;
  /** Undefined: the image is not known, and undefined variables are then not looked for in what stands on it. */
  image?: (base: string) => LintImage | undefined;
  /** Stages whose instructions are looked at; all, when not given. */
  stages?: ReadonlySet<number>;
}

export interface LintResult {
  warnings: Warning[];
  /** What a build fails with, as far as it shows without files and images; nothing below it was looked at. */
  error?: { message: string; location?: Location };
}

/** Throws `invalid-argument` only for a `# check=` that makes no sense. */
export function lintDockerfile(dockerfile: Dockerfile, options: LintOptions = {}): LintResult {
  const findings = new Findings(new CheckOptions(dockerfile.directives.check));
  const { warnings } = findings;
  try {
    for (const { location } of dockerfile.warnings) findings.report("NoEmptyContinuation", location);
    for (const line of dockerfile.lines) lintLine(findings, line);
    lintStageNames(findings, dockerfile);
    lintCasing(findings, dockerfile.lines);
    lintStages(findings, dockerfile, options);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    const { location } = findings;
    return { warnings, error: { message: error.message, ...(location ? { location } : {}) } };
  }
  if (findings.options.error && warnings.length > 0) {
    const rules = [...new Set(warnings.map(({ rule }) => rule))];
    return { warnings, error: { message: `lint violation found for rules: ${rules.join(", ")}` } };
  }
  return { warnings };
}

function lintStages(findings: Findings, dockerfile: Dockerfile, options: LintOptions): void {
  const { stages, metaArgs, directives } = dockerfile;
  const { args = {}, platform = hostPlatform(), target = stages.at(-1)?.name } = options;
  const scope = (given: Readonly<Record<string, string>>) =>
    new GlobalScope({ metaArgs, args: given, platform, target, token: directives.escape });
  lintDefaultBases(findings, stages, () => scope({}));
  const global = scope(args);
  const bases = stages.map((stage) => lintBase(findings, stage, global));
  const linted: StageLinter[] = [];
  for (const [index, stage] of stages.entries()) {
    const base = bases[index] as string;
    const earlier = stages.slice(0, index).findLastIndex(({ name }) => name === base);
    const linter = new StageLinter({ findings, stage, global, args, token: directives.escape });
    linted.push(linter);
    if (options.stages && !options.stages.has(index)) continue;
    linter.begin(linted[earlier] ?? (base === "scratch" ? { env: [] } : options.image?.(base)));
    linter.lint(linesOf(dockerfile, index));
  }
}

/** The lines of a stage's instructions. */
function linesOf({ lines, stages }: Dockerfile, index: number): Line[] {
  const start = stages[index]?.location.startLine ?? 0;
  const end = stages[index + 1]?.location.startLine ?? Number.POSITIVE_INFINITY;
  return lines.filter(({ location }) => location.startLine > start && location.startLine < end);
}

/** What one line says by itself. */
function lintLine(findings: Findings, { name, givenName, rest, comments, location }: Line): void {
  if (name === "FROM") {
    const [, as, stage] = rest.split(/\s+/);
    if (as === undefined || stage === undefined) return;
    if (stage !== stage.toLowerCase()) findings.report("StageNameCasing", location, stage);
    const fold = sameCasing(givenName);
    if (fold && as !== fold(as)) findings.report("FromAsCasing", location, givenName, as);
    lintDescription(findings, { comments, location }, "FROM", [stage.toLowerCase()]);
  }
  if (name === "ARG") {
    const names = rest.split(/\s+/).map((word) => word.split("=", 1)[0] as string);
    lintDescription(findings, { comments, location }, "ARG", names);
  }
  if (name === "MAINTAINER") findings.report("MaintainerDeprecated", location);
}

/** How a keyword is written: all lower or all upper case, or neither. */
function sameCasing(keyword: string): ((text: string) => string) | undefined {
  if (keyword === keyword.toLowerCase()) return (text) => text.toLowerCase();
  return keyword === keyword.toUpperCase() ? (text) => text.toUpperCase() : undefined;
}

function lintDescription(
  findings: Findings,
  { comments, location }: Pick<Line, "comments" | "location">,
  instruction: string,
  names: readonly string[],
): void {
  const comment = comments.at(-1);
  if (comment === undefined || names.includes(comment.split(" ", 1)[0] as string)) return;
  const example = names.length > 1 ? "<arg_key>" : (names[0] as string);
  findings.report("InvalidDefinitionDescription", location, instruction, example);
}

function lintStageNames(findings: Findings, { stages }: Dockerfile): void {
  const seen = new Set<string>();
  for (const { name, location } of stages) {
    if (name === undefined) continue;
    if (name === "context" || name === "scratch") findings.report("ReservedStageName", location, name);
    if (seen.has(name)) findings.report("DuplicateStageName", location, name);
    seen.add(name);
  }
}

/** ARG before the first FROM neither counts nor is looked at. */
function lintCasing(findings: Findings, lines: readonly Line[]): void {
  const counted = lines.slice(lines.findIndex(({ name }) => name === "FROM"));
  const are = (fold: (text: string) => string) => counted.filter(({ givenName }) => givenName === fold(givenName));
  const lower = are((text) => text.toLowerCase()).length > are((text) => text.toUpperCase()).length;
  for (const { name, givenName, location } of counted) {
    if (givenName === (lower ? givenName.toLowerCase() : name)) continue;
    findings.report("ConsistentInstructionCasing", location, givenName, lower ? "lowercase" : "uppercase");
  }
}
