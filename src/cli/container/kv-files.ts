/** `--env-file` and `--label-file`: lines of `KEY=value`, `#` comments, no quoting. */
import { readFileSync } from "node:fs";
import { errorCode, errorMessage } from "../../base/errors.ts";

/**
 * The files' entries, then the given ones. `lookup` finds the value of a key that stands alone; without a value the line is left out.
 * Without `lookup` such a key is kept as it is. Throws an Error with Docker's message.
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
    if (key === "") throw new Error(`no variable name on line '${line}'`);
    if (/\s/.test(key)) throw new Error(`variable '${key}' contains whitespaces`);
    if (at >= 0) found.push(line);
    else if (!lookup) found.push(line);
    else {
      const value = lookup(key);
      if (value !== undefined) found.push(`${key}=${value}`);
    }
  }
  return found;
}

function readText(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    if (errorCode(error) === "ENOENT") throw new Error(`open ${file}: no such file or directory`);
    if (errorCode(error) === "EISDIR") throw new Error(`read ${file}: is a directory`);
    if (errorCode(error) === "EACCES") throw new Error(`open ${file}: permission denied`);
    throw new Error(`open ${file}: ${errorMessage(error)}`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Error(`invalid utf8 bytes in file ${file}`);
  }
}
