/** `--security-opt`: a seccomp profile is read here and sent as text; `systempaths=unconfined` never leaves the client. */
import { readFileSync } from "node:fs";
import { errorCode, errorMessage } from "../../../base/errors.ts";
import { goQuote } from "../../../base/go-quote.ts";

export interface SecurityOptions {
  readonly options: string[];
  /** `systempaths=unconfined` was given: no masked and no read-only paths. */
  readonly unconfinedPaths: boolean;
}

/** Throws an Error with Docker's message. */
export function parseSecurityOptions(given: readonly string[]): SecurityOptions {
  const options = given.map((option) => {
    const [name, value] = splitOption(option);
    if (value === "" && name !== "no-new-privileges") throw new Error(`Invalid --security-opt: ${goQuote(option)}`);
    const isFile = name === "seccomp" && value !== "unconfined" && value !== "builtin";
    return isFile ? `seccomp=${readProfile(value)}` : option;
  });
  const kept = options.filter((option) => option !== "systempaths=unconfined");
  return { options: kept, unconfinedPaths: kept.length < options.length };
}

function splitOption(option: string): [string, string] {
  const at = option.includes("=") ? option.indexOf("=") : option.indexOf(":");
  return at < 0 ? [option, ""] : [option.slice(0, at), option.slice(at + 1)];
}

function readProfile(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const missing = errorCode(error) === "ENOENT";
    const reason = missing ? `open ${path}: no such file or directory` : errorMessage(error);
    throw new Error(`opening seccomp profile (${path}) failed: ${reason}`);
  }
  try {
    return JSON.stringify(JSON.parse(text));
  } catch (error) {
    throw new Error(`compacting json for seccomp profile (${path}) failed: ${errorMessage(error)}`);
  }
}
