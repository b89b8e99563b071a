/** `--env-file` and `--label-file`: lines of `KEY=value`, `#` comments, no quoting. */
import { readFileSync } from "node:fs";
import { errorCode, errorMessage } from "../../../base/errors.ts";

/**
 * The files' entries, then the given ones. `lookup` finds the value of a key that stands alone in a file; without one the line is
 * left out. Throws an Error with Docker's message.
 */
export function readKeyValues(
  files: readonly string[],
  given: readonly string[],
  lookup?: (name: string) => string | undefined,
): string[] {
  return [...files.flatMap((file) => parseFile(file, lookup)), ...given];
}

function parseFile(file: string, lookup?: (name: string) => string | undefined): string[] {
  const found: string[] = [];
  const lines = readText(file).split("\n");
  for (const [index, raw] of lines.entries()) {
    const text = index === 0 ? raw.replace(/^\uFEFF/, "") : raw;
    const line = text.replace(/\r$/, "").trimStart();
    if (line === "" || line.startsWith("#")) continue;
    const at = line.indexOf("=");
    const key = at < 0 ? line : line.slice(0, at);
    if (key === "") throw invalid(file, `no variable name on line '${line}'`);
    if (/\s/.test(key)) throw invalid(file, `variable '${key}' contains whitespaces`);
    const value = at >= 0 ? line.slice(at + 1) : lookup?.(key);
    if (value !== undefined) found.push(`${key}=${value}`);
  }
  return found;
}

function invalid(file: string, reason: string): Error {
  return new Error(`invalid env file (${file}): ${reason}`);
}

function readText(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    if (errorCode(error) === "ENOENT") throw new Error(`open ${file}: no such file or directory`);
    if (errorCode(error) === "EISDIR") throw invalid(file, `read ${file}: is a directory`);
    if (errorCode(error) === "EACCES") throw new Error(`open ${file}: permission denied`);
    throw new Error(`open ${file}: ${errorMessage(error)}`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw invalid(file, `invalid utf8 bytes at line ${badLine(bytes)}`);
  }
}

/** `1: [255 61 49]`: number and bytes of the first line that is no UTF-8, as Go prints them. */
function badLine(bytes: Buffer): string {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const lines = bytes.toString("latin1").split("\n");
  const index = lines.findIndex((line) => {
    try {
      decoder.decode(Buffer.from(line, "latin1"));
      return false;
    } catch {
      return true;
    }
  });
  return `${index + 1}: [${[...Buffer.from(lines[index] ?? "", "latin1")].join(" ")}]`;
}
