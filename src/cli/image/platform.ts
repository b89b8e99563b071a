/** `--platform os[/arch[/variant]]`. */
import { parsePlatform } from "../../oci/platform.ts";
import type { FlagSpec } from "../flag-kinds.ts";
import { flag } from "../flag-kinds.ts";

export function platformFlag(what: string): FlagSpec<string> {
  return flag.string(`${what} Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")`);
}

/** The JSON object that the API takes; undefined for the empty text. Throws in docker's words. */
export function platformJson(text: string): string | undefined {
  if (text === "") return undefined;
  const { architecture, os, variant } = parsePlatform(text);
  return JSON.stringify({ architecture, os, ...(variant === undefined ? {} : { variant }) });
}
