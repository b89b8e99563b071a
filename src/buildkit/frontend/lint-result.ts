/** The answer to `frontend.lint`, which clients print. Source: moby/buildkit frontend/subrequests/lint/lint.go. */
import { errorMessage } from "../../base/errors.ts";
import type { Location } from "../../dockerfile/instructions.ts";
import { type LintResult, lintDockerfile } from "../../dockerfile/lint.ts";
import { parseDockerfile } from "../../dockerfile/parse.ts";
import type { FrontendOptions } from "./options.ts";
import type { DockerfileSource } from "./source-error.ts";

export function lintResult(
  source: DockerfileSource,
  options: Pick<FrontendOptions, "args" | "target">,
): Record<string, Uint8Array> {
  const { warnings, error } = lint(source, options);
  const result = {
    warnings: warnings.map(({ rule, message, description, url, location }) => ({
      ruleName: rule,
      description,
      url,
      detail: message,
      location: locationOf(location),
    })),
    sources: [{ filename: source.filename, language: "Dockerfile", data: Buffer.from(source.text).toString("base64") }],
    ...(error && {
      buildError: { message: error.message, ...(error.location && { location: locationOf(error.location) }) },
    }),
  };
  const failed = warnings.length > 0 || error !== undefined;
  const text = warnings.map(({ rule, message }) => `${rule}: ${message}\n`).join("");
  return {
    "result.json": Buffer.from(JSON.stringify(result, undefined, 2)),
    "result.txt": Buffer.from(text),
    "result.statuscode": Buffer.from(failed ? "1" : "0"),
    version: Buffer.from("1.0.0"),
  };
}

function lint(source: DockerfileSource, { args, target }: Pick<FrontendOptions, "args" | "target">): LintResult {
  try {
    return lintDockerfile(parseDockerfile(source.text), { args, ...(target ? { target } : {}) });
  } catch (error) {
    const message = errorMessage(error);
    const line = Number(/ on line (\d+)/.exec(message)?.[1] ?? 0);
    return { warnings: [], error: { message, ...(line > 0 && { location: { startLine: line, endLine: line } }) } };
  }
}

function locationOf({ startLine, endLine }: Location) {
  return { ranges: [{ start: { line: startLine }, end: { line: endLine } }] };
}
