/** What goes wrong in a build, as BuildKit words it where the classic builder has other words. Source: moby/buildkit solver, executor. */

import { EngineError, errorMessage } from "../../base/errors.ts";
import { newId } from "../../base/ids.ts";
import { StepFailure } from "../../builder/steps/step-failure.ts";

export function inBuildkitWords(error: unknown): unknown {
  if (error instanceof StepFailure) {
    const command = error.command.join(" ");
    const message = `process "${command}" did not complete successfully: exit code: ${error.exitCode}`;
    return new EngineError("internal", message, { cause: error });
  }
  if (!(error instanceof EngineError)) return error;
  const [, missing] = /(?:COPY|ADD) failed: .*stat (.+): file does not exist$/.exec(error.message) ?? [];
  if (missing === undefined) return error;
  const path = missing.startsWith("/") ? missing : `/${missing}`;
  const message = `failed to compute cache key: failed to calculate checksum of ref ${reference()}: ${JSON.stringify(path)}: not found`;
  return new EngineError(error.kind, message, { cause: error });
}

/** The same, without what only the whole build's message says. */
export function inVertexWords(error: unknown): string {
  return errorMessage(inBuildkitWords(error)).replace(/^failed to compute cache key: /, "");
}

/** Of a tree of files, as it looks in BuildKit's messages. */
function reference(): string {
  return `${crypto.randomUUID()}::${newId().slice(0, 25)}`;
}
