/** The answer to `frontend.lint`, which clients print. Source: moby/buildkit frontend/subrequests/lint/lint.go. */
import { errorMessage } from "../../base/errors.ts";
import { type LintResult, lintDockerfile } from "../../dockerfile/lint/lint.ts";
import { parseDockerfile, parseErrorLocation } from "../../dockerfile/parse.ts";
import type { FrontendOptions } from "./options.ts";
import { type DockerfileSource, rangesJson, sourceJson } from "./source-error.ts";

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
      location: rangesJson(location),
    })),
    sources: [sourceJson(source)],
    ...(error && {
      buildError: { message: error.message, ...(error.location && { location: rangesJson(error.location) }) },
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
    const location = parseErrorLocation(error);
    return { warnings: [], error: { message: errorMessage(error), ...(location && { location }) } };
  }
}
