/** `--filter name=value` items as the API's `filters` parameter. */
import { encodeFilters } from "../../api/client.ts";
import type { Filters } from "../../api/system.ts";
import { splitPair } from "../flag-kinds.ts";

export function toFilters(items: readonly string[]): Filters {
  const filters: Filters = {};
  for (const item of items) {
    if (item === "") continue;
    const [name, value] = splitPair(item);
    const values = filters[name] ?? [];
    if (!values.includes(value)) filters[name] = [...values, value];
  }
  return filters;
}

/** The query parameter of these items; undefined when there are none. */
export function filterQuery(items: readonly string[]): string | undefined {
  return encodeFilters(toFilters(items));
}

/** Items of the pruneFilters of config.json added to those of the command line, as docker does before a prune. */
export function withPruneFilters(items: readonly string[], configured: unknown): string[] {
  const extra = Array.isArray(configured) ? configured.filter((item) => typeof item === "string") : [];
  const has = (name: string, value: string) => items.includes(`${name}=${value}`);
  const added = extra.filter((item) => {
    const [name, value] = splitPair(item);
    if (name === "label") return !has("label!", value);
    return name === "label!" ? !has("label", value) : true;
  });
  return [...added, ...items];
}
