/**
 * Rows printed by a template, as docker's listings are: `table …` with a header, `json`, or any template. Throws an Error with docker's own
 * words when the template is wrong.
 */
import { alignTabs, type TabOptions } from "./tabwriter.ts";
import { Template } from "./template/exec.ts";
import { headerFunctions } from "./template/funcs.ts";
import { GoObject, natural } from "./template/go-type.ts";

export interface Listing {
  /** What `--format` says, or the command's own table. */
  format: string;
  /** Method name → title of the column. */
  header: Readonly<Record<string, string>>;
  rows: Iterable<GoObject>;
  tabs?: TabOptions;
}

export function formatListing({ format, header, rows, tabs }: Listing): string {
  const isTable = format.startsWith("table");
  const template = parseFormat(templateOf(format));
  const data = [...rows].map(natural);
  const body = data.map((row) => `${guarded(() => template.execute(row))}\n`).join("");
  if (!isTable) return body;
  const title = template.execute(natural(headerObject(header)), { functions: headerFunctions });
  return alignTabs(`${title}\n${body}`, tabs);
}

/** `{{.Label "com.example.my-name"}}` is titled by the last part of the label's name. */
function headerObject(header: Listing["header"]): GoObject {
  const titles = Object.entries(header).map(([name, title]) => [name, () => title] as const);
  const Label = (name: string) => (name.split(".").at(-1) ?? "").replace(/[-_]/g, " ");
  return new GoObject("formatter.SubHeaderContext", { ...Object.fromEntries(titles), Label }, true);
}

/** The template inside a format: without `table`, `json` spelt out, `\t` and `\n` made real. */
export function templateOf(format: string): string {
  const text = format.startsWith("table") ? format.slice("table".length) : format === "json" ? "{{json .}}" : format;
  return text
    .replace(/^ +| +$/g, "")
    .replaceAll("\\t", "\t")
    .replaceAll("\\n", "\n");
}

export function parseFormat(text: string): Template {
  return guarded(() => new Template(text));
}

/** Puts docker's prefix before what the template engine says. */
export function guarded<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new Error(`template parsing error: ${error.message}`, { cause: error });
  }
}
