/** File errors in Go's words: scripts see `open x: no such file or directory`. */
import { errorCode, errorMessage } from "../base/errors.ts";
import { CliError } from "./command.ts";

const words: Record<string, string> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EISDIR: "is a directory",
  ENOTDIR: "not a directory",
  EPERM: "operation not permitted",
};

export function openFailure(path: string, error: unknown, verb = "open"): CliError {
  const reason = words[errorCode(error) ?? ""] ?? errorMessage(error);
  return new CliError(`${verb} ${path}: ${reason}`, 1, { cause: error });
}
